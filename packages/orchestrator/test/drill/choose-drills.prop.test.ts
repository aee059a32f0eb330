import type { DrillStanding } from '@onevault/backup-format';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseDrills, type DrillCandidate } from '../../src/drill/choose-drills.ts';

const DAY = 86_400_000;
const NOW = new Date('2026-11-27T12:00:00Z');
const candidate = (n: number): DrillCandidate => ({ group: `vm-${n}`, vmName: `vm ${n}`, pointId: `point-${n}` });
const ago = (days: number): string => new Date(NOW.getTime() - days * DAY).toISOString();

/** What is known of some of ten VMs: tried so many days ago, proven then or earlier or never. */
const anyStandings = fc.array(fc.tuple(fc.nat(9), fc.nat(60), fc.option(fc.nat(60))), { maxLength: 10 }).map(
  (raw) =>
    new Map<string, DrillStanding>(
      raw.map(([n, tried, since]) => [
        `vm-${n}`,
        {
          last: { outcome: since === 0 ? 'passed' : 'failed', at: ago(tried) },
          ...(since !== null && { lastPassedAt: ago(tried + since) }),
        },
      ]),
    ),
);

function ageOf(standing: DrillStanding | undefined): number {
  const at = standing?.lastPassedAt;
  return at === undefined ? Number.POSITIVE_INFINITY : NOW.getTime() - Date.parse(at);
}

describe('whose turn it is', () => {
  const all = Array.from({ length: 10 }, (_, n) => candidate(n));
  it('is that of who was never proven, then of the oldest proof; nobody else of the sample is overdue more, and nobody is lost', () => {
    fc.assert(
      fc.property(anyStandings, fc.integer({ min: 1, max: 12 }), fc.option(fc.integer({ min: 1, max: 90 })), (standings, sample, days) => {
        const { chosen, fresh, later } = chooseDrills(all, standings, NOW, { sample, ...(days !== null && { maxAgeMs: days * DAY }) });
        expect([...chosen, ...fresh, ...later].map(({ group }) => group).sort()).toEqual(all.map(({ group }) => group).sort());
        expect(chosen.length).toBe(Math.min(sample, all.length - fresh.length));
        const ages = (of: readonly DrillCandidate[]): number[] => of.map(({ group }) => ageOf(standings.get(group)));
        expect(Math.min(...ages(chosen))).toBeGreaterThanOrEqual(Math.max(...ages(later), 0));
        expect(Math.max(...ages(fresh), 0)).toBeLessThanOrEqual((days ?? 0) * DAY);
        expect(Math.min(...ages([...chosen, ...later]))).toBeGreaterThan((days ?? -1) * DAY);
      }),
    );
  });

  it('comes round: with a sample of one, everyone has had a turn after as many drills as there are VMs, also where all fail', () => {
    const standings = new Map<string, DrillStanding>();
    const turns: string[] = [];
    for (let day = 60; day > 50; day--) {
      const [next] = chooseDrills(all, standings, NOW, { sample: 1 }).chosen;
      turns.push(next?.group ?? '');
      standings.set(next?.group ?? '', { last: { outcome: 'failed', at: ago(day) } });
    }
    expect(new Set(turns).size).toBe(10);
  });
});
