import { expect, it } from 'vitest';
import { planBackup } from '../src/index.ts';
import { buildDisk, buildVm } from '../testing/index.ts';

it('the example of the README prints what it says', () => {
  const vm = buildVm({ disks: [buildDisk(), buildDisk({ imageId: undefined, type: 'fs', target: 'vdb' })] });
  const plan = planBackup(vm, { capture: 'auto', excludeDisks: [] });
  expect(plan.disks.map((disk) => [disk.disk.target, disk.verdict, disk.reasons.map((reason) => reason.code).join(' ')].join(' '))).toEqual([
    'vda capture CAPTURE_SNAPSHOT_CLEAN',
    'vdb skip SKIP_VOLATILE',
  ]);
});
