import type { RunFilter, RunRecord } from '@onevault/run-queue';
import { z } from 'zod';
import { mayOfRun, visibleRuns } from '../access/run-rights.ts';
import type { Caller, HandlerTable } from '../ports/call.ts';
import { repositoryViews } from './repository-handlers.ts';
import type { CallOf, StateDeps } from './state-deps.ts';

const WORST = 20;
const LOOKED_AT = 200;
/** Nothing that succeeded for so long is worth saying. */
const QUIET_MS = 26 * 3_600_000;

export function overviewHandler(deps: StateDeps): HandlerTable {
  return { overview: ({ caller }: CallOf<'overview'>) => overview(deps, caller) };
}

/** What is counted of everybody is for administrators; others see what is theirs. */
async function overview(deps: StateDeps, caller: Caller): Promise<object> {
  const admin = caller.role === 'admin';
  const among = visibleRuns(caller, deps);
  const own = among === undefined ? {} : { among };
  const [running, failed, queued] = await Promise.all([
    deps.runs.list({ state: 'running', limit: LOOKED_AT, ...own }),
    deps.runs.list({ state: 'failed', limit: LOOKED_AT, ...own }),
    admin ? deps.queue().then((tally) => tally.queued) : deps.runs.list({ state: 'queued', limit: LOOKED_AT, ...own }).then(({ length }) => length),
  ]);
  const anew = admin ? deps.madeAnew() : undefined;
  const quietSince = await nothingRanSince(deps, admin ? {} : own);
  return {
    ...protectionOfAll(deps, caller),
    ...viewOf(deps, admin),
    running: (await visible(deps, caller, running)).map(({ id }) => id),
    queued,
    failures: (
      await visible(
        deps,
        caller,
        failed.filter((run) => isOpen(deps, run)),
      )
    )
      .slice(0, WORST)
      .map((run) => failureOf(deps, run)),
    repositories: repositoryViews(deps, caller),
    ...(admin && { orphans: deps.orphans() ?? 0 }),
    ...(anew && { madeAnew: { since: anew.since.toISOString(), isDone: anew.isDone } }),
    ...(quietSince && { nothingRanSince: quietSince.toISOString() }),
  };
}

/** Of when it is, and why it is of no later time; where OpenNebula is, and what it said, is for administrators. */
function viewOf({ inventory: { seenAt, problem } }: StateDeps, admin: boolean): object {
  return {
    ...(seenAt && { seenAt: seenAt.toISOString() }),
    ...(problem && { cloudProblem: { code: problem.code ?? 'UNKNOWN', text: admin ? problem.message : 'OpenNebula does not answer' } }),
  };
}

function protectionOfAll({ inventory, board }: StateDeps, caller: Caller): object {
  const protection = { protected: 0, outOfRpo: 0, unprotected: 0, excluded: 0 };
  const outOfRpo: { readonly vmId: number; readonly name: string; readonly policy: string; readonly lateMs: number }[] = [];
  for (const vm of inventory.vms()) {
    if (!vm.exists || !caller.mayUse(vm)) continue;
    const { id, name } = vm.facts;
    const standing = board.of(id);
    protection[standing.state === 'out-of-rpo' ? 'outOfRpo' : standing.state] += 1;
    if (standing.state === 'out-of-rpo') outOfRpo.push({ vmId: id, name, policy: standing.policy, lateMs: Math.round(standing.lateMs) });
  }
  return { protection, outOfRpo: outOfRpo.sort((a, b) => b.lateMs - a.lateMs).slice(0, WORST) };
}

async function visible(deps: StateDeps, caller: Caller, runs: readonly RunRecord[]): Promise<RunRecord[]> {
  const may = await Promise.all(runs.map((run) => mayOfRun(caller, 'use', run, deps)));
  return runs.filter((_, i) => may[i]);
}

/** A backup that failed and was made up for is no trouble any more. */
function isOpen({ catalog }: StateDeps, { kind, vmId, endedAt }: RunRecord): boolean {
  if (kind !== 'backup' || vmId === undefined || endedAt === undefined) return true;
  const newest = catalog.ofVm(vmId).newest;
  return newest === undefined || newest.committedAt < endedAt;
}

const failure = z.looseObject({ code: z.string().default('UNKNOWN'), message: z.string().default('it failed'), hint: z.string().optional() });

function failureOf({ inventory }: StateDeps, run: RunRecord): object {
  const { code, message, hint } = failure.catch({ code: 'UNKNOWN', message: 'it failed' }).parse(run.failure ?? {});
  return {
    runId: run.id,
    ...(run.vmId !== undefined && { vmId: run.vmId }),
    name: run.vmName ?? (run.vmId === undefined ? run.kind : (inventory.vm(run.vmId)?.facts.name ?? `VM ${run.vmId}`)),
    at: (run.endedAt ?? run.queuedAt).toISOString(),
    code,
    message,
    ...(hint !== undefined && { hint }),
  };
}

async function nothingRanSince({ runs, settings, clock }: StateDeps, own: Pick<RunFilter, 'among'>): Promise<Date | undefined> {
  if (!settings.current().policies.some(({ policy }) => policy.enabled)) return undefined;
  const [newest] = await runs.list({ state: 'succeeded', limit: 1, ...own });
  const at = newest?.endedAt;
  return at !== undefined && clock.now().getTime() - at.getTime() > QUIET_MS ? at : undefined;
}
