import { diskId, imageId } from '@onevault/one-client';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type BackupPlan, type CaptureChoice, type DiskCapture, type DiskPlan, planBackup } from '../../src/index.ts';
import { buildDisk, buildSnapshots, buildSurroundings, buildVm } from '../../testing/index.ts';

const disk = fc.record({
  tmMad: fc.constantFrom('qcow2', 'shared', 'local', 'ssh', 'ceph', 'lvm', 'fs_lvm', 'fs_lvm_ssh', 'dev', 'netapp', undefined),
  format: fc.constantFrom('qcow2', 'raw', undefined),
  type: fc.constantFrom('FILE', 'BLOCK', 'RBD', 'CDROM', 'fs', 'swap'),
  persistent: fc.boolean(),
  readonly: fc.boolean(),
  hasImage: fc.boolean(),
  attributes: fc.record(
    {
      ALLOW_ORPHANS: fc.constantFrom('YES', 'NO', 'FORMAT', 'mixed', 'LINEAR'),
      LVM_THIN_ENABLE: fc.constantFrom('YES', 'NO'),
      TM_MAD_SYSTEM: fc.constantFrom('ssh', ''),
    },
    { requiredKeys: [] },
  ),
  snapshots: fc.option(fc.record({ ids: fc.uniqueArray(fc.nat(3), { maxLength: 3 }), spent: fc.nat(2) }), { nil: undefined }),
});

const cloud = fc.record({
  disks: fc.array(disk, { maxLength: 5 }),
  states: fc.constantFrom([3, 3], [3, 17], [3, 57], [3, 16], [3, 39], [5, 0], [8, 0], [9, 0], [4, 0], [1, 0], [3, 27]),
  native: fc.boolean(),
  agent: fc.boolean(),
  lockLevel: fc.constantFrom(undefined, undefined, undefined, 1, 2, 3, 4),
  version: fc.constantFrom('6.10.5', '7.0.2', '7.4.0', 'what?'),
});
const wishes = fc.record({ capture: fc.constantFrom<CaptureChoice>('auto', 'snapshot', 'live-copy', 'offline'), allowLongFreeze: fc.boolean() });

type Cloud = typeof cloud extends fc.Arbitrary<infer T> ? T : never;
type Wishes = typeof wishes extends fc.Arbitrary<infer T> ? T : never;

function planned(facts: Cloud, { capture, allowLongFreeze }: Wishes): BackupPlan {
  const disks = facts.disks.map(({ hasImage, snapshots: _, ...entry }, i) =>
    buildDisk({ ...entry, diskId: diskId(i), imageId: hasImage ? imageId(10 + i) : undefined }),
  );
  const snapshots = facts.disks.flatMap(({ snapshots }, i) => {
    const owner = disks[i];
    if (snapshots === undefined || owner === undefined) return [];
    const ids = [...snapshots.ids].sort();
    return [buildSnapshots(owner, ids, (ids.at(-1) ?? -1) + 1 + snapshots.spent)];
  });
  const [state = 3, lcmState = 3] = facts.states;
  const vm = buildVm({
    state,
    lcmState,
    lockLevel: facts.lockLevel,
    disks,
    snapshots,
    guestAgent: facts.agent,
    backupConfig: facts.native ? { MODE: 'INCREMENT' } : {},
  });
  return planBackup(vm, { capture, allowLongFreeze, excludeDisks: [] }, buildSurroundings({ version: facts.version }));
}

function check(run: (plan: BackupPlan, facts: Cloud, wish: Wishes) => void): void {
  fc.assert(
    fc.property(cloud, wishes, (facts, wish) => run(planned(facts, wish), facts, wish)),
    { verbose: true, numRuns: 500 },
  );
}

const captures = (plan: BackupPlan): DiskCapture[] => plan.disks.filter((entry): entry is DiskCapture => entry.verdict === 'capture');

it('every disk has one verdict and a reason, in the order of the VM', () => {
  check((plan) => {
    expect(plan.disks.map((entry) => entry.disk)).toEqual(plan.vm.disks);
    for (const entry of plan.disks) expect(entry.reasons.length).toBeGreaterThan(0);
  });
});

it('a refusal is never silent and always says what to change', () => {
  const hasRemedy = (entry: DiskPlan): boolean => entry.reasons.some((reason) => reason.remedy !== undefined && reason.remedy !== '');
  check((plan) => {
    for (const entry of plan.disks) if (entry.verdict === 'refuse') expect(hasRemedy(entry), JSON.stringify(entry.reasons)).toBe(true);
    for (const reason of plan.reasons) expect(reason.remedy).toBeTruthy();
    if (plan.verdict === 'impossible')
      expect(plan.reasons.length > 0 || plan.disks.some((entry) => entry.verdict === 'refuse') || captures(plan).length === 0).toBe(true);
  });
});

it('nothing stays behind, and no guest stands still for long, unless it was asked for', () => {
  check((plan, _facts, wish) => {
    for (const entry of captures(plan)) {
      if (wish.capture !== 'snapshot') expect(entry.residue).toEqual([]);
      if (!wish.allowLongFreeze) expect(entry.pause).not.toBe('whole-copy');
      if (entry.residue.length > 0 || entry.pause === 'whole-copy') expect(entry.degraded).toBe(true);
    }
  });
});

it('a snapshot is taken of a running VM alone, never beside native incremental backup, never where its image could not be read', () => {
  check((plan, facts) => {
    for (const entry of captures(plan)) {
      if (entry.method !== 'snapshot') continue;
      if (plan.state !== undefined) expect(plan.state).toBe('RUNNING');
      expect(facts.native).toBe(false);
      const others = plan.vm.snapshots.find((tree) => tree.diskId === entry.disk.diskId)?.snapshots.length ?? 0;
      expect(entry.disk.tmMad === 'local' && entry.disk.format === 'qcow2' && others > 0).toBe(false);
      expect(entry.disk.readonly).toBe(false);
    }
  });
});

it('a running disk is copied live only where the copy is of one moment', () => {
  check((plan) => {
    for (const entry of captures(plan)) {
      if (entry.method !== 'live-copy' || entry.disk.readonly) continue;
      const frozen = entry.disk.tmMad === 'ceph' && entry.disk.attributes['TM_MAD_SYSTEM'] === 'ssh';
      expect(['qcow2', 'shared', 'local', 'ssh', 'lvm'].includes(entry.disk.tmMad ?? '') || frozen, entry.disk.tmMad).toBe(true);
    }
  });
});

it('a VM that does not run is captured as it lies; one that runs never offline', () => {
  check((plan) => {
    for (const entry of captures(plan)) if (!entry.disk.readonly) expect(entry.method === 'offline').toBe(plan.state !== undefined && plan.state !== 'RUNNING');
  });
});

it('only a clean, fitting VM is ok', () => {
  check((plan, facts) => {
    if (plan.verdict !== 'ok') return;
    expect(captures(plan).length).toBeGreaterThan(0);
    expect(captures(plan).some((entry) => entry.degraded)).toBe(false);
    expect(facts.lockLevel === undefined || facts.lockLevel === 3).toBe(true);
  });
});

it('is pure: the same reading gives the same plan, and is left as it was', () => {
  fc.assert(
    fc.property(cloud, wishes, (facts, wish) => {
      const before = JSON.stringify(facts);
      expect(planned(facts, wish)).toEqual(planned(facts, wish));
      expect(JSON.stringify(facts)).toBe(before);
    }),
    { verbose: true, numRuns: 100 },
  );
});
