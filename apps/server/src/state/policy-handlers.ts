import { type BackupPolicy, compilePolicy, judgeVm, nextRuns, parsePolicy } from '@onevault/policies';
import { judgePoints } from '../catalog/judge-points.ts';
import { groupsOfPolicy, pointsOfGroup, unreadableIn } from '../catalog/retention-rows.ts';
import { notFound, ServerError } from '../errors.ts';
import type { HandlerTable } from '../ports/call.ts';
import type { ServerSettings } from '../ports/settings-store.ts';
import { readCursor, writeCursor } from './cursor.ts';
import type { CallOf, StateDeps } from './state-deps.ts';

/** Shown of a preview; the rest is counted. */
const PREVIEWED_VMS = 1000;
const PREVIEWED_RUNS = 20;

export function policyHandlers(deps: StateDeps): HandlerTable {
  return {
    listPolicies: async ({ caller }: CallOf<'listPolicies'>) =>
      deps.settings.current().policies.flatMap((compiled) => (isSeen(deps, compiled, caller) ? [summaryOf(deps, compiled, caller)] : [])),
    putPolicy: async ({ caller, params, body }: CallOf<'putPolicy'>) => {
      if (body.name !== params.name) throw otherName(params.name, body.name);
      return summaryOf(deps, await deps.settings.putPolicy(body), caller);
    },
    deletePolicy: async ({ params }: CallOf<'deletePolicy'>) => deps.settings.removePolicy(params.name),
    previewPolicy: async (call: CallOf<'previewPolicy'>) => preview(deps, call),
    retentionCalendar: (call: CallOf<'retentionCalendar'>) => calendar(deps, call),
  };
}

type Compiled = ServerSettings['policies'][number];
type Verdict = ReturnType<typeof judgeVm>;
type SomeCaller = CallOf<'listPolicies'>['caller'];

/** A policy is everybody's whose VM it speaks of. */
function isSeen({ inventory }: StateDeps, { selection }: Compiled, caller: SomeCaller): boolean {
  return caller.role === 'admin' || inventory.vms().some((vm) => vm.exists && caller.mayUse(vm) && judgeVm(selection, vm.facts).verdict !== 'not-selected');
}

/** Of the caller's VMs, what becomes of them. */
function judged({ inventory }: StateDeps, { selection }: Compiled, caller: SomeCaller): Record<Verdict['verdict'], number[]> {
  const ids: Record<Verdict['verdict'], number[]> = { selected: [], excluded: [], 'opted-out': [], 'not-selected': [] };
  for (const vm of inventory.vms()) {
    if (vm.exists && caller.mayUse(vm)) ids[judgeVm(selection, vm.facts).verdict].push(vm.facts.id);
  }
  return ids;
}

/** Selectors name other people's VMs, owners and labels, commands what administrators do on workers: who administrates nothing sees which of their own VMs it means. */
function documentFor({ commands: _commands, ...policy }: Compiled['policy'], { selected, excluded, 'opted-out': optedOut }: ReturnType<typeof judged>): object {
  const these = (list: readonly number[]): string[] => (list.length === 0 ? [] : [`id=${list.join('|')}`]);
  return { ...policy, select: { include: these([...selected, ...excluded, ...optedOut]), exclude: these(excluded) } };
}

function summaryOf(deps: StateDeps, compiled: Compiled, caller: SomeCaller): object {
  const { clock } = deps;
  const { policy, rpoMs } = compiled;
  const own = judged(deps, compiled, caller);
  const next = policy.enabled ? nextRuns(compiled, clock.now().getTime(), 1)[0]?.atMs : undefined;
  return {
    name: policy.name,
    kind: policy.kind,
    enabled: policy.enabled,
    document: caller.role === 'admin' ? policy : documentFor(policy, own),
    matches: own.selected.length,
    ...(next !== undefined && { nextRunAt: new Date(next).toISOString() }),
    ...(policy.kind === 'backup' && { rpoMs }),
  };
}

/** Those that are left out first, with the reason: they are what one looks for. */
function preview({ inventory, clock }: StateDeps, { caller, body }: CallOf<'previewPolicy'>): object {
  const nowMs = clock.now().getTime();
  const compiled = compilePolicy(parsePolicy(body), nowMs);
  const selected: object[] = [];
  const left: object[] = [];
  for (const vm of inventory.vms()) {
    if (!vm.exists) continue;
    const verdict = judgeVm(compiled.selection, vm.facts);
    if (verdict.verdict === 'not-selected' || !caller.mayUse(vm)) continue;
    (verdict.verdict === 'selected' ? selected : left).push({ id: vm.facts.id, name: vm.facts.name, ...verdict });
  }
  return {
    selected: selected.length,
    excluded: left.length,
    vms: [...left, ...selected].slice(0, PREVIEWED_VMS),
    nextRuns: nextRuns(compiled, nowMs, PREVIEWED_RUNS).map(({ atMs, schedule }) => ({ at: new Date(atMs).toISOString(), mode: schedule.mode })),
  };
}

/** VM by VM, newest first. */
async function calendar(deps: StateDeps, { caller, params, query }: CallOf<'retentionCalendar'>): Promise<object> {
  const { settings, catalog, inventory } = deps;
  const compiled = settings.current().backupPolicies.find((one) => one.policy.name === params.name);
  if (compiled === undefined || !isSeen(deps, compiled, caller)) throw notFound('policy');
  const { policy } = compiled;
  const [fromVm = 0, fromPoint] = query.cursor === undefined ? [] : readCursor(query.cursor);
  const groups = await groupsOfPolicy(catalog.db, { policy: policy.name, repository: policy.repository, from: Number(fromVm), vmId: query.vmId });
  const items: CalendarItem[] = [];
  for (const { vmId, group } of groups) {
    const vm = inventory.vm(vmId);
    if (vm === undefined || !caller.mayUse(vm) || catalog.groupOf(vmId) !== group) continue;
    const all = await itemsOfGroup(deps, policy, { vmId, group }, query.on);
    items.push(...all.slice(fromVm === vmId ? all.findIndex(({ pointId }) => pointId === fromPoint) + 1 : 0));
    if (items.length > query.limit) break;
  }
  const page = items.slice(0, query.limit);
  const last = page.at(-1);
  return { items: page, ...(items.length > query.limit && last && { next: writeCursor([last.vmId, last.pointId]) }) };
}

interface CalendarItem {
  readonly pointId: string;
  readonly vmId: number;
  readonly capturedAt: string;
  readonly keptBy: readonly string[];
  readonly goesOn?: string;
}

async function itemsOfGroup(
  { settings, catalog, clock }: StateDeps,
  policy: Pick<BackupPolicy, 'name' | 'repository'>,
  { vmId, group }: { readonly vmId: number; readonly group: string },
  on: string | undefined,
): Promise<CalendarItem[]> {
  const unreadable = await unreadableIn(catalog.db, group);
  const own = (await pointsOfGroup(catalog.db, group)).filter((point) => point.policy === policy.name && point.repository === policy.repository);
  const asOf = on === undefined ? undefined : new Date(on);
  const verdicts = judgePoints(own, settings.current(), clock.now(), (repository) => unreadable.has(repository), asOf);
  return own.map((point) => {
    const { keptBy = [], goesOn } = verdicts.get(point) ?? {};
    return { pointId: point.id, vmId, capturedAt: point.capturedAt.toISOString(), keptBy, ...(goesOn && { goesOn: goesOn.toISOString() }) };
  });
}

function otherName(path: string, body: string): ServerError {
  return new ServerError({
    code: 'SERVER_REQUEST_INVALID',
    message: `the policy calls itself ${body}, and the address ${path}`,
    hint: 'A policy is renamed by making the new one and removing the old one',
  });
}
