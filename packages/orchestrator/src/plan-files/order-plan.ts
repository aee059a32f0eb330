/** A VM of a plan, as far as the order is concerned. */
export interface PlanNode {
  readonly key: string;
  readonly group: number;
  readonly after: readonly string[];
}

/** What keeps a plan from having an order; `at`: places in the file, from 0. */
export interface OrderProblem {
  readonly code: 'PLAN_KEY_TWICE' | 'PLAN_AFTER_UNKNOWN' | 'PLAN_AFTER_LATER_GROUP' | 'PLAN_CYCLE';
  readonly at: number;
  readonly text: string;
}

/**
 * The order in which VMs come back: groups from the least on, and in a group everything after what it names in `after`, otherwise as the file has it.
 * Pure. Either an order of all nodes, or problems.
 */
export function orderPlan(nodes: readonly PlanNode[]): { readonly order: readonly number[] } | { readonly problems: readonly OrderProblem[] } {
  const places = new Map<string, number>();
  const problems: OrderProblem[] = [];
  for (const [at, { key }] of nodes.entries()) {
    if (places.has(key)) problems.push({ code: 'PLAN_KEY_TWICE', at, text: `'${key}' is in the plan twice; give one of them a key of its own` });
    else places.set(key, at);
  }
  for (const [at, node] of nodes.entries()) problems.push(...afterProblems(node, at, nodes, places));
  if (problems.length > 0) return { problems };
  return sorted(nodes, places);
}

function afterProblems({ key, group, after }: PlanNode, at: number, nodes: readonly PlanNode[], places: ReadonlyMap<string, number>): OrderProblem[] {
  return after.flatMap((name): OrderProblem[] => {
    const other = nodes[places.get(name) ?? -1];
    if (other === undefined) return [{ code: 'PLAN_AFTER_UNKNOWN', at, text: `'${key}' comes after '${name}', which is not in the plan` }];
    if (other.group <= group) return [];
    return [{ code: 'PLAN_AFTER_LATER_GROUP', at, text: `'${key}' of group ${group} comes after '${name}' of group ${other.group}, which comes later` }];
  });
}

function sorted(
  nodes: readonly PlanNode[],
  places: ReadonlyMap<string, number>,
): { readonly order: readonly number[] } | { readonly problems: readonly OrderProblem[] } {
  const order: number[] = [];
  const done = new Set<number>();
  const byGroup = [...nodes.keys()].sort((a, b) => (nodes[a]?.group ?? 0) - (nodes[b]?.group ?? 0) || a - b);
  const isReady = (at: number): boolean => (nodes[at]?.after ?? []).every((name) => done.has(places.get(name) ?? -1));
  while (order.length < nodes.length) {
    const group = nodes[byGroup.find((at) => !done.has(at)) ?? -1]?.group;
    const next = byGroup.find((at) => !done.has(at) && nodes[at]?.group === group && isReady(at));
    if (next === undefined)
      return {
        problems: [
          cycleProblem(
            nodes,
            places,
            byGroup.filter((at) => !done.has(at)),
          ),
        ],
      };
    order.push(next);
    done.add(next);
  }
  return { order };
}

/** Follows `after` among what is left until a name comes twice: everything left waits for a cycle, or is one. */
function cycleProblem(nodes: readonly PlanNode[], places: ReadonlyMap<string, number>, left: readonly number[]): OrderProblem {
  const way: number[] = [];
  let at = left[0] ?? 0;
  while (!way.includes(at)) {
    way.push(at);
    const next = nodes[at]?.after.map((name) => places.get(name) ?? -1).find((place) => left.includes(place));
    if (next === undefined) break;
    at = next;
  }
  const cycle = [...way.slice(way.indexOf(at)), at].map((place) => nodes[place]?.key);
  return { code: 'PLAN_CYCLE', at, text: `each waits for the next: ${cycle.join(' after ')}` };
}
