import { diskId, imageId } from '@onevault/one-client';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type DiskCapture, planBackup } from '../src/index.ts';
import { buildDisk, buildVm } from '../testing/index.ts';

const disk = fc.record({
  tmMad: fc.constantFrom('qcow2', 'shared', 'local', 'ssh', 'ceph', 'lvm', 'fs_lvm', 'fs_lvm_ssh', 'dev', 'netapp', undefined),
  format: fc.constantFrom('qcow2', 'raw', undefined),
  type: fc.constantFrom('FILE', 'BLOCK', 'RBD', 'CDROM', 'fs', 'swap'),
  persistent: fc.boolean(),
  hasImage: fc.boolean(),
});

const vm = fc.record({
  disks: fc.array(disk, { maxLength: 6 }),
  state: fc.constantFrom(3, 5, 8, 9),
  lcmState: fc.constantFrom(3, 17, 57),
  native: fc.boolean(),
  lockLevel: fc.constantFrom(undefined, 1, 2, 3, 4),
});

function expectFitting(entry: DiskCapture, native: boolean, capture: 'auto' | 'snapshot'): void {
  expect(native && entry.method === 'snapshot', 'OpenNebula refuses snapshots under native incremental backup').toBe(false);
  expect(entry.residue.length === 0 || entry.degraded).toBe(true);
  if (capture === 'auto') expect(entry.residue).toEqual([]);
}

it('every disk has one verdict and a reason; what has no image is never captured; only a clean, fitting VM is ok', () => {
  fc.assert(
    fc.property(vm, fc.constantFrom('auto' as const, 'snapshot' as const), ({ disks, native, ...facts }, capture) => {
      const built = disks.map(({ hasImage, ...entry }, i) => buildDisk({ ...entry, diskId: diskId(i), imageId: hasImage ? imageId(10 + i) : undefined }));
      const plan = planBackup(buildVm({ ...facts, disks: built, backupConfig: native ? { MODE: 'INCREMENT' } : {} }), { capture, excludeDisks: [] });
      expect(plan.disks.map((entry) => entry.disk)).toEqual(built);
      for (const entry of plan.disks) {
        expect(entry.reasons.length).toBeGreaterThan(0);
        if (entry.disk.imageId === undefined) expect(entry.verdict).toBe('skip');
        if (entry.verdict === 'capture') expectFitting(entry, native, capture);
      }
      if (plan.verdict === 'ok') expect(plan.disks.some((entry) => entry.verdict === 'capture')).toBe(true);
    }),
    { verbose: true },
  );
});
