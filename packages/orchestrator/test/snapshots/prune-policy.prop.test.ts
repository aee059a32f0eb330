import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PrunePolicy, planPrune } from '../../src/snapshots/prune-policy.ts';
import { readSnapshots, type SnapshotSet } from '../../src/snapshots/snapshot-set.ts';
import { chain, setId, setName, twoDisks } from './trees.ts';

const DAY = 86_400_000;
const NOW = new Date('2026-11-27T12:00:00Z');
const NAMES = ['nightly', 'nightly-2', 'before-upgrade'] as const;

const sets: fc.Arbitrary<SnapshotSet[]> = fc
  .array(fc.record({ ageMs: fc.integer({ min: -DAY, max: 30 * DAY }), name: fc.constantFrom(...NAMES) }), { maxLength: 12 })
  .map((all) =>
    all.map(({ ageMs, name }, n) => ({ setId: setId(n), label: name, name, createdAt: new Date(NOW.getTime() - ageMs), members: [], missing: [] })),
  );
const policy: fc.Arbitrary<PrunePolicy> = fc
  .record(
    { keep: fc.integer({ min: 1, max: 6 }), maxAgeMs: fc.integer({ min: 1, max: 20 * DAY }), namePrefix: fc.constantFrom('', 'night', 'before') },
    { requiredKeys: ['namePrefix'] },
  )
  .filter(({ keep, maxAgeMs }) => keep !== undefined || maxAgeMs !== undefined);

const going = (all: readonly SnapshotSet[], rules: PrunePolicy, now = NOW): Set<string> =>
  new Set(planPrune(all, rules, now).flatMap(({ set, verdict }) => (verdict === 'delete' ? [set.setId] : [])));

describe('a policy for snapshots', () => {
  it('deletes what is older than the limit, and of the rest all but the newest n', () => {
    fc.assert(
      fc.property(sets, policy, (all, rules) => {
        const meant = all.filter((set) => set.name.startsWith(rules.namePrefix ?? ''));
        const gone = going(all, rules);
        const stay = meant.filter((set) => !gone.has(set.setId));
        const ageMs = (set: SnapshotSet): number => NOW.getTime() - set.createdAt.getTime();
        const young = meant.filter((set) => ageMs(set) <= (rules.maxAgeMs ?? Number.POSITIVE_INFINITY));
        // The newest n are a beginning of the list by age, and so are the young: what stays is the shorter of the two.
        expect(stay).toHaveLength(Math.min(young.length, rules.keep ?? young.length));
        for (const one of stay) for (const other of meant) if (gone.has(other.setId)) expect(ageMs(one)).toBeLessThanOrEqual(ageMs(other));
      }),
    );
  });

  it('neither counts nor touches sets of other names', () => {
    fc.assert(
      fc.property(sets, policy, (all, rules) => {
        const others = all.filter((set) => !set.name.startsWith(rules.namePrefix ?? ''));
        expect(planPrune(all, rules, NOW).some(({ set }) => others.includes(set))).toBe(false);
        expect(going(all, rules)).toEqual(
          going(
            all.filter((set) => !others.includes(set)),
            rules,
          ),
        );
      }),
    );
  });

  it('has nothing left to do once it was applied, deletes no less later, and no more when it is laxer', () => {
    fc.assert(
      fc.property(sets, policy, fc.nat(20 * DAY), (all, rules, laterMs) => {
        const gone = going(all, rules);
        const left = all.filter((set) => !gone.has(set.setId));
        expect(going(left, rules).size).toBe(0);
        for (const id of gone) expect(going(all, rules, new Date(NOW.getTime() + laterMs))).toContain(id);
        const laxer = {
          ...rules,
          ...(rules.keep !== undefined && { keep: rules.keep + 1 }),
          ...(rules.maxAgeMs !== undefined && { maxAgeMs: rules.maxAgeMs + DAY }),
        };
        for (const id of going(all, laxer)) expect(gone).toContain(id);
      }),
    );
  });

  it('does not depend on the order in which sets are read, and says why of each', () => {
    fc.assert(
      fc.property(sets, policy, (all, rules) => {
        expect(planPrune([...all].reverse(), rules, NOW)).toEqual(planPrune(all, rules, NOW));
        for (const { reasons } of planPrune(all, rules, NOW)) expect(reasons.length).toBeGreaterThan(0);
      }),
    );
  });

  it('with a label means the sets of exactly that label: a longer one is another policy', () => {
    fc.assert(
      fc.property(sets, fc.integer({ min: 1, max: 3 }), (all, keep) => {
        const nightly = all.filter(({ label }) => label === 'nightly');
        expect(planPrune(all, { keep, label: 'nightly' }, NOW)).toEqual(planPrune(nightly, { keep }, NOW));
      }),
    );
  });

  it('knows the newer of two that oned and we call the same second', () => {
    // The ids of sets end in chance: here the later one's is the smaller.
    const [earlier, later] = [setName(0, 0, [0], 'nightly').replace('abcde0', 'zzzzz0'), setName(0, 0, [0], 'nightly')];
    const { sets: both } = readSnapshots(
      twoDisks(
        chain([3, 4], [earlier, later]).map((one) => ({ ...one, date: 1_790_000_000 })),
        [],
      ),
    );
    expect(both.map(({ members }) => members.map(({ snapshot }) => snapshot.id))).toEqual([[4], [3]]);
    expect(planPrune(both, { keep: 1 }, NOW).map(({ set, verdict }) => [set.members[0]?.snapshot.id, verdict])).toEqual([
      [4, 'keep'],
      [3, 'delete'],
    ]);
  });

  it('never sees a foreign snapshot, nor one of a backup', () => {
    const vm = twoDisks(chain([0, 1], ['nightly', 'onevault-20261127t194200-k3f9ab-vm6-disk0']), chain([0], ['onevault-set-nightly']));
    expect(planPrune(readSnapshots(vm).sets, { keep: 1, maxAgeMs: 1 }, NOW)).toEqual([]);
  });

  it.each<PrunePolicy>([
    {},
    { namePrefix: 'x' },
    { keep: 0 },
    { keep: 1.5 },
    { keep: Number.NaN },
    { maxAgeMs: 0 },
    { maxAgeMs: Number.NaN },
    { keep: 2, maxAgeMs: -1 },
  ])('that limits nothing, or leaves nothing, is refused: %j', (rules) => {
    expect(() => planPrune([], rules, NOW)).toThrow(expect.objectContaining({ code: 'JOB_SNAPSHOT_POLICY_INVALID' }));
  });
});
