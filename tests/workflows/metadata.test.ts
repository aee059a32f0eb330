import { type OneApi, OneError } from '@onevault/one-client';
import { backupVm } from '@onevault/orchestrator';
import { expect, test } from 'vitest';
import { makeWorld } from '../support/world.ts';

const slow = { timeout: 60_000 };

test('a restore point has every body around the VM in a file of its own, and hides nothing that could not be read', slow, async () => {
  await using world = await makeWorld({ disks: [{ sizeMiB: 2 }, { sizeMiB: 2 }] });
  const vm = await world.cloud.vm(world.vm);
  // A user who may see neither hosts nor the template, as most may not.
  const cloud: OneApi = {
    ...world.cloud,
    host: () => Promise.reject(new OneError('ONE_AUTHORIZATION', 'not authorized')),
    template: () => Promise.reject(new OneError('ONE_NO_EXISTS', 'no such template')),
  };
  const { pointId, warnings } = await backupVm(world.deps({ cloud }), world.backupRequest());
  const point = await world.repository.point(pointId);
  const images = vm.disks.flatMap(({ imageId }) => (imageId === undefined ? [] : [`images/${imageId}.xml`]));
  const datastores = new Set([...vm.disks.map(({ datastoreId }) => datastoreId), vm.history.at(-1)?.datastoreId]);
  expect(point.metadata.map(({ name }) => name).sort()).toEqual(
    ['vm.xml', ...images, ...[...datastores].map((id) => `datastores/${id}.xml`), 'users/0.xml', 'groups/0.xml', 'clusters/0.xml'].sort(),
  );
  expect(new TextDecoder().decode(await world.repository.readMetadata(point, 'vm.xml'))).toBe(vm.xml);
  expect(point.annotations['metadata']).toEqual({
    missing: [
      { name: `templates/${vm.template['TEMPLATE_ID']}.xml`, code: 'METADATA_GONE' },
      { name: 'host.json', code: 'METADATA_NOT_PERMITTED' },
    ],
    secrets: { kept: 'NONE', attributes: [] },
  });
  expect(warnings).toEqual([]); // a restore needs neither
});

test('a body that a restore makes use of, and cannot be read, is a warning', slow, async () => {
  await using world = await makeWorld({ disks: [{ sizeMiB: 2 }], volatileMiB: [] });
  const { imageId } = (await world.cloud.vm(world.vm)).disks[0] ?? {};
  let reads = 0;
  const cloud: OneApi = {
    ...world.cloud,
    image: (id, options) =>
      id === imageId && reads++ === 0 ? Promise.reject(new OneError('ONE_AUTHORIZATION', 'not authorized')) : world.cloud.image(id, options),
  };
  const { warnings } = await backupVm(world.deps({ cloud }), world.backupRequest());
  expect(warnings).toEqual([{ code: 'METADATA_NOT_PERMITTED', message: expect.stringContaining(`images/${imageId}.xml`) }]);
});
