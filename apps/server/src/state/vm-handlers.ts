import { errorCode } from '@onevault/base';
import { fits, type Protection, parseSelector } from '@onevault/policies';
import { notFound } from '../errors.ts';
import type { HandlerTable } from '../ports/call.ts';
import type { InventoryVm } from '../ports/inventory.ts';
import { badRequest } from './bad-request.ts';
import { compare, type Position, readCursor, writeCursor } from './cursor.ts';
import type { CallOf, StateDeps } from './state-deps.ts';

/** Runs that are under way are as many as workers have places. */
const RUNNING = 500;

export function vmHandlers(deps: StateDeps): HandlerTable {
  return {
    listVms: (call: CallOf<'listVms'>) => listVms(deps, call),
    getVm: async ({ params, signal }: CallOf<'getVm'>) => {
      const vm = deps.inventory.vm(params.vmId);
      if (vm === undefined) throw notFound('VM');
      const summary = summaryOf(deps, vm, await runningByVm(deps));
      if (vm.exists) return { ...summary, ...(await deps.details.vmDetail(params.vmId, { signal })) };
      return { ...summary, disks: [], verdict: 'impossible', reasons: [{ code: 'VM_GONE', text: 'it does not exist any more; its restore points do' }] };
    },
  };
}

async function listVms(deps: StateDeps, { caller, query }: CallOf<'listVms'>): Promise<object> {
  const { search, protection, sort, limit, cursor } = query;
  const fitsSearch = searchOf(search);
  const behind = cursor === undefined ? undefined : readCursor(cursor);
  const found: { readonly vm: InventoryVm; readonly position: Position }[] = [];
  for (const vm of deps.inventory.vms()) {
    if (!fitsSearch(vm) || !caller.mayUse(vm)) continue;
    if (protection !== undefined && deps.board.of(vm.facts.id).state !== protection) continue;
    const position = [keyOf(deps, vm, sort), vm.facts.id] as const;
    if (behind === undefined || compare(position, behind) > 0) found.push({ vm, position });
  }
  found.sort((a, b) => compare(a.position, b.position));
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const running = await runningByVm(deps);
  return { items: page.map(({ vm }) => summaryOf(deps, vm, running)), ...(found.length > limit && last && { next: writeCursor(last.position) }) };
}

/** A selector, or text that the name contains. */
function searchOf(search: string | undefined): (vm: InventoryVm) => boolean {
  const text = search?.trim().toLowerCase() ?? '';
  if (text === '') return () => true;
  if (!text.includes('=')) return ({ facts }) => facts.name.toLowerCase().includes(text) || String(facts.id) === text;
  try {
    const selector = parseSelector(search ?? '');
    return ({ facts }) => fits(selector, facts);
  } catch (error) {
    if (errorCode(error) !== 'POLICY_SELECTOR_INVALID') throw error;
    throw badRequest(error instanceof Error ? error.message : 'no selector', 'For instance label=prod and name=web-*', error);
  }
}

const RANKS = { unprotected: 0, 'out-of-rpo': 1, protected: 2, excluded: 3 } as const;

/** The worst off first; of those that are late, the one with the oldest restore point. None of it moves while time goes by. */
function keyOf({ board, catalog }: StateDeps, { facts }: InventoryVm, sort: 'name' | 'id' | 'newest-point' | 'protection'): string | number {
  switch (sort) {
    case 'name':
      return facts.name;
    case 'id':
      return facts.id;
    case 'newest-point': {
      const newest = catalog.ofVm(facts.id).newest;
      return newest === undefined ? Number.MAX_SAFE_INTEGER : -newest.capturedAt.getTime();
    }
    case 'protection': {
      const protection = board.of(facts.id);
      const since = protection.state === 'out-of-rpo' ? protection.newest.capturedMs : 0;
      return `${RANKS[protection.state]}${String(since).padStart(16, '0')}`;
    }
  }
}

/** Ids of the runs that work on VMs. */
async function runningByVm({ runs }: StateDeps): Promise<ReadonlyMap<number, string>> {
  const running = await runs.list({ state: 'running', limit: RUNNING });
  return new Map(running.flatMap(({ vmId, id }) => (vmId === undefined ? [] : [[vmId, id] as const])));
}

function summaryOf({ board, catalog }: StateDeps, vm: InventoryVm, running: ReadonlyMap<number, string>): object {
  const { id, name, owner, group, state, host, labels } = vm.facts;
  const { newest, count } = catalog.ofVm(id);
  const run = running.get(id);
  return {
    id,
    name,
    owner,
    group,
    state,
    ...(host !== undefined && { host }),
    labels,
    exists: vm.exists,
    protection: protectionView(board.of(id)),
    ...(newest && { newestPoint: { id: newest.id, repository: newest.repository, capturedAt: newest.capturedAt.toISOString() } }),
    points: count,
    ...(vm.exists && { diskCount: vm.diskCount }),
    ...(run !== undefined && { running: run }),
  };
}

function protectionView(protection: Protection): object {
  switch (protection.state) {
    case 'protected':
      return { state: protection.state, policies: protection.policies, until: new Date(protection.untilMs).toISOString() };
    case 'out-of-rpo':
      return { state: protection.state, policies: protection.policies, policy: protection.policy, lateMs: Math.round(protection.lateMs) };
    default:
      return protection;
  }
}
