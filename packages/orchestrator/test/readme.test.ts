import { expect, it } from 'vitest';
import { planBackup } from '../src/index.ts';
import { buildDisk, buildSurroundings, buildVm } from '../testing/index.ts';

it('the example of the README prints what it says', () => {
  const vm = buildVm({ disks: [buildDisk(), buildDisk({ imageId: undefined, type: 'fs', target: 'vdb' })] });
  const plan = planBackup(vm, { capture: 'auto', excludeDisks: [] }, buildSurroundings());
  expect(plan.disks.map((disk) => [disk.disk.target, disk.verdict, disk.reasons.map((reason) => reason.code).join(' ')].join(' '))).toEqual([
    'vda capture CAPTURE_SNAPSHOT_CLEAN NATIVE_INCREMENTAL_BLOCKED',
    'vdb skip SKIP_VOLATILE',
  ]);
});
