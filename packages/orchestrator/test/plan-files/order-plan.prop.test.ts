import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type OrderProblem, orderPlan, type PlanNode } from '../../src/plan-files/order-plan.ts';

/** Plans of up to twelve VMs; `after` may name anything, also itself and what is not there. */
const anyPlan = fc.array(
  fc.record({ key: fc.constantFrom(...'abcdefghijklmn'), group: fc.nat(2), after: fc.uniqueArray(fc.constantFrom(...'abcdefghijklmnz'), { maxLength: 3 }) }),
  { minLength: 1, maxLength: 12 },
);

/** Plans that have an order: everything comes after earlier ones of its group or a lesser one, then the file is shuffled. */
const soundPlan = fc
  .tuple(fc.array(fc.record({ group: fc.nat(3), picks: fc.array(fc.nat(30), { maxLength: 3 }) }), { minLength: 1, maxLength: 12 }), fc.integer())
  .map(([raw, seed]) => {
    const nodes = raw.map(({ group, picks }, at): PlanNode => {
      const earlier = raw.slice(0, at).flatMap((other, place) => (other.group <= group ? [`vm-${place}`] : []));
      return { key: `vm-${at}`, group, after: [...new Set(picks.flatMap((pick) => (earlier.length > 0 ? [earlier[pick % earlier.length] ?? ''] : [])))] };
    });
    const rank = (key: string): number => [...`${seed}${key}`].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) % 9973, 7);
    return nodes.sort((a, b) => rank(a.key) - rank(b.key));
  });

describe('the order of a plan', () => {
  it('has everything once, in groups, after what it comes after; and exists whenever one is possible', () => {
    fc.assert(
      fc.property(soundPlan, (nodes) => {
        const ordered = orderPlan(nodes);
        if (!('order' in ordered)) throw new Error(ordered.problems.map(({ text }) => text).join('; '));
        expect([...ordered.order].sort((a, b) => a - b)).toEqual([...nodes.keys()]);
        const turn = new Map(ordered.order.map((at, n) => [nodes[at]?.key ?? '', n]));
        for (const [n, at] of ordered.order.entries()) {
          for (const name of nodes[at]?.after ?? []) expect(turn.get(name)).toBeLessThan(n);
          expect(nodes[at]?.group).toBeGreaterThanOrEqual(nodes[ordered.order[n - 1] ?? at]?.group ?? 0);
        }
      }),
    );
  });

  it('of any plan is an order that holds, or names a problem that is there', () => {
    fc.assert(
      fc.property(anyPlan, (nodes) => {
        const ordered = orderPlan(nodes);
        if ('order' in ordered) return expectHolds(nodes, ordered.order);
        expect(ordered.problems.length).toBeGreaterThan(0);
        for (const problem of ordered.problems) expect(isThere(nodes, problem), problem.text).toBe(true);
      }),
    );
  });

  it('names a cycle by all that are in it', () => {
    const node = (key: string, ...after: string[]): PlanNode => ({ key, group: 0, after });
    expect(orderPlan([node('web', 'app'), node('app', 'db'), node('db', 'web'), node('mail')])).toMatchObject({
      problems: [{ code: 'PLAN_CYCLE', text: 'each waits for the next: web after app after db after web' }],
    });
  });

  it('is that of the file where nothing else is said', () => {
    const node = (key: string): PlanNode => ({ key, group: 0, after: [] });
    expect(orderPlan([node('c'), node('a'), node('b')])).toEqual({ order: [0, 1, 2] });
  });
});

function expectHolds(nodes: readonly PlanNode[], order: readonly number[]): void {
  const done = new Set<string>();
  for (const at of order) {
    expect((nodes[at]?.after ?? []).every((name) => done.has(name))).toBe(true);
    done.add(nodes[at]?.key ?? '');
  }
  expect(done.size).toBe(nodes.length);
}

/** The problem, told another way. */
function isThere(nodes: readonly PlanNode[], { at, code }: OrderProblem): boolean {
  const { key = '', group = 0, after = [] } = nodes[at] ?? {};
  switch (code) {
    case 'PLAN_KEY_TWICE':
      return nodes.filter((other) => other.key === key).length > 1;
    case 'PLAN_AFTER_UNKNOWN':
      return after.some((name) => !nodes.some((other) => other.key === name));
    case 'PLAN_AFTER_LATER_GROUP':
      return after.some((name) => nodes.some((other) => other.key === name && other.group > group));
    case 'PLAN_CYCLE':
      return reaches(nodes, key, key);
  }
}

function reaches(nodes: readonly PlanNode[], from: string, to: string, seen: ReadonlySet<string> = new Set()): boolean {
  const after = nodes.find(({ key }) => key === from)?.after ?? [];
  if (after.includes(to)) return true;
  return after.some((name) => !seen.has(name) && reaches(nodes, name, to, new Set([...seen, name])));
}
