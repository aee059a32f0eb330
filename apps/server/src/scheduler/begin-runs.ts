import type { RunRequest } from '@onevault/api';
import { type CallOptions, type Clock, errorCode, forEachConcurrent, type Logger, serializeError } from '@onevault/base';
import { closingOf, type Due, judgeVm, type Policy } from '@onevault/policies';
import type { Inventory, InventoryVm } from '../ports/inventory.ts';
import type { RunService, StartOptions } from '../ports/run-service.ts';
import type { TimetableEntry } from './timetable.ts';

export interface BeginDeps {
  readonly inventory: Inventory;
  readonly runs: Pick<RunService, 'start'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** So many runs are written into the queue at once. */
const AT_ONCE = 4;
/** A view that is older is looked at again before VMs are chosen. */
const FRESH_MS = 60_000;
/** Looking after repositories comes behind backups. */
const MAINTENANCE_PRIORITY = 20;

/** Queues everything of one slot; what is there already is not queued again. Answers whether the slot is dealt with. Throws when the queue cannot be written to. */
export async function beginRuns(deps: BeginDeps, entry: TimetableEntry, due: Due, options: CallOptions): Promise<boolean> {
  const { what, schedule } = entry;
  const slot = new Date(due.slotMs);
  const origin = { kind: 'schedule', name: entry.key.policy } as const;
  if (what.kind !== 'policy') {
    const request: RunRequest =
      what.kind === 'gc' ? { kind: 'gc', repository: what.repository } : { kind: 'verify', repository: what.repository, mode: what.mode };
    await deps.runs.start(request, { ...options, origin, slot, priority: MAINTENANCE_PRIORITY });
    return true;
  }
  const vms = await knownVms(deps, options);
  if (vms === undefined) return false;
  const closesMs = schedule.window && closingOf(schedule.window, deps.clock.now().getTime());
  // It closed while OpenNebula was asked.
  if (schedule.window !== undefined && closesMs === undefined) return false;
  const start: StartOptions = {
    ...options,
    origin,
    slot,
    priority: what.policy.priority,
    ...(closesMs !== undefined && { startByMs: closesMs }),
    ...(closesMs !== undefined && schedule.stopAtWindowEnd && { stopAtMs: closesMs }),
  };
  const chosen = choose(deps, what, vms);
  await forEachConcurrent(chosen, (vm) => beginOne(deps, requestOf(what.policy, vm.facts.id, schedule.mode), start), { ...options, concurrency: AT_ONCE });
  deps.logger.info({ policy: what.policy.name, slot, verdict: due.verdict, lateMs: due.lateMs, vms: chosen.length }, 'schedule begun');
  return true;
}

/** Undefined while nobody knows what there is. */
async function knownVms({ inventory, clock, logger }: BeginDeps, options: CallOptions): Promise<readonly InventoryVm[] | undefined> {
  const isFresh = inventory.refreshedAt !== undefined && clock.now().getTime() - inventory.refreshedAt.getTime() <= FRESH_MS;
  if (!isFresh || (await inventory.hasNewProxy())) {
    await inventory.refresh(options).catch((error: unknown) => {
      options.signal?.throwIfAborted();
      logger.warn({ error: serializeError(error) }, 'OpenNebula cannot be asked which VMs there are: those that were seen last are meant');
    });
  }
  return inventory.refreshedAt === undefined ? undefined : inventory.vms();
}

function choose({ logger }: BeginDeps, { policy, selection }: TimetableEntry['what'] & { kind: 'policy' }, vms: readonly InventoryVm[]): InventoryVm[] {
  return vms.filter(({ facts, exists }) => {
    if (!exists) return false;
    const verdict = judgeVm(selection, facts);
    if (verdict.verdict === 'opted-out') logger.info({ policy: policy.name, vmId: facts.id, reason: verdict.reason }, 'the VM has opted out');
    return verdict.verdict === 'selected';
  });
}

function requestOf(policy: Policy, vmId: number, mode: 'auto' | 'full'): RunRequest {
  if (policy.kind === 'backup') return { kind: 'backup', vmId, repository: policy.repository, mode, policy: policy.name };
  return { kind: 'snapshot-create', vmId, policy: policy.name };
}

/** A VM that has gone meanwhile is no reason to leave out the others. */
async function beginOne({ runs, logger }: BeginDeps, request: RunRequest, start: StartOptions): Promise<void> {
  try {
    await runs.start(request, start);
  } catch (error) {
    if (errorCode(error)?.startsWith('SERVER_') !== true) throw error;
    logger.warn({ request, error: serializeError(error) }, 'a scheduled run cannot be begun');
  }
}
