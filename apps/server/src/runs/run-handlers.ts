import type { RunRequest, StreamEvent } from '@onevault/api';
import type { Clock } from '@onevault/base';
import { errorCode } from '@onevault/base';
import { judgeVm } from '@onevault/policies';
import type { RunFilter, RunRecord, RunState } from '@onevault/run-queue';
import { visibleRuns, vmOrUnknown } from '../access/run-rights.ts';
import { notFound, ServerError } from '../errors.ts';
import type { Call, Caller, HandlerTable } from '../ports/call.ts';
import type { Inventory } from '../ports/inventory.ts';
import type { RunService } from '../ports/run-service.ts';
import type { SettingsStore } from '../ports/settings-store.ts';
import type { IdempotencyKeys } from './idempotency-keys.ts';
import { runDetailView, runView } from './run-view.ts';
import { type PointChanges, withChanges } from './with-changes.ts';

export interface RunHandlerDeps {
  readonly runs: RunService;
  readonly inventory: Pick<Inventory, 'vm' | 'vms'>;
  readonly settings: Pick<SettingsStore, 'current'>;
  readonly keys: IdempotencyKeys;
  readonly points: PointChanges;
  readonly clock: Clock;
}

interface ListQuery {
  readonly limit: number;
  readonly cursor?: string;
  readonly state?: RunState;
  readonly kind?: string;
  readonly vmId?: number;
  readonly policy?: string;
}

type OfRun = Call<{ readonly runId: string }>;

/** Runs over the API. Who may see what: runs of a VM those who may USE it; runs of a whole repository, or of a VM that nobody knows any more, administrators. */
export function runHandlers(deps: RunHandlerDeps) {
  const { runs } = deps;
  const own = async ({ params, caller }: OfRun): Promise<RunRecord> => {
    const run = await runs.get(params.runId);
    if (!maySee(caller, run.vmId, deps)) throw notFound('run');
    return run;
  };
  return {
    listRuns: ({ query, caller }: Call<unknown, ListQuery>) => listRuns(deps, caller, query),
    startRun: (call: Call<unknown, unknown, RunRequest>) => startRun(deps, call),
    getRun: async (call: OfRun) => runDetailView(await own(call)),
    cancelRun: async (call: OfRun) => {
      const { id } = await own(call);
      await runs.cancel(id);
      return { id };
    },
    watchRun: (call: OfRun) => watchRun(deps, call, own),
    watch: (call: Call) => watchAll(deps, call),
  } satisfies HandlerTable;
}

function maySee(caller: Caller, vmId: number | undefined, deps: RunHandlerDeps): boolean {
  return vmId === undefined ? caller.role === 'admin' : caller.mayUse(vmOrUnknown(vmId, deps));
}

/**
 * Pages that are read for one that is asked for. The database leaves out what the caller may not see, so that no cursor says where that stands; what is left out here is what
 * was forbidden meanwhile.
 */
const MAX_PAGES = 10;

async function listRuns(deps: RunHandlerDeps, caller: Caller, { limit, cursor, ...filter }: ListQuery): Promise<object> {
  const items: RunRecord[] = [];
  const among = visibleRuns(caller, deps);
  let after = cursor === undefined ? undefined : readCursor(cursor);
  let isLast = false;
  for (let pages = 0; pages < MAX_PAGES && !isLast && items.length < limit; pages++) {
    const page: readonly RunRecord[] = await deps.runs.list({ ...filter, limit, ...(among && { among }), ...(after !== undefined && { after }) });
    const visible = page.filter(({ vmId }) => maySee(caller, vmId, deps));
    const taken = visible.slice(0, limit - items.length);
    items.push(...taken);
    isLast = page.length < limit && taken.length === visible.length;
    after = taken.length < visible.length ? taken.at(-1) : (page.at(-1) ?? after);
  }
  return { items: items.map(runView), ...(!isLast && after !== undefined && { next: cursorOf(after) }) };
}

type Position = NonNullable<RunFilter['after']>;

function cursorOf({ queuedAt, id }: Position): string {
  return Buffer.from(JSON.stringify([queuedAt.toISOString(), id])).toString('base64url');
}

function readCursor(cursor: string): Position {
  try {
    const [at, id]: unknown[] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    const queuedAt = new Date(String(at));
    if (typeof id === 'string' && !Number.isNaN(queuedAt.getTime())) return { queuedAt, id };
  } catch {
    // refused below, as any other that is none of ours
  }
  throw new ServerError({ code: 'SERVER_REQUEST_INVALID', message: 'the cursor is none of this list', hint: 'take it from `next` of the page before' });
}

async function startRun(deps: RunHandlerDeps, call: Call<unknown, unknown, RunRequest>): Promise<{ readonly id: string }> {
  const { runs, keys } = deps;
  const { caller, body, idempotencyKey, signal } = call;
  if (caller.role !== 'admin') checkPolicy(body, deps);
  // What a user restores is theirs; what the administrator restores stays the server's, as at a terminal.
  const owner = caller.role === 'admin' ? {} : { owner: { userId: caller.userId, groupId: caller.groupId } };
  const begin = async (id?: string): Promise<string> =>
    (await runs.start(body, { origin: { kind: caller.kind, name: caller.label }, ...owner, ...(id !== undefined && { id }), signal })).id;
  if (idempotencyKey === undefined) return { id: await begin() };
  return { id: await keys.once(`${caller.kind} ${caller.label}`, idempotencyKey, body, { isBegun: (id) => isBegun(runs, id), begin }) };
}

async function isBegun(runs: RunService, id: string): Promise<boolean> {
  try {
    await runs.get(id);
    return true;
  } catch (error) {
    if (errorCode(error) === 'SERVER_NOT_FOUND') return false;
    throw error;
  }
}

/** A policy's retention, commands and priority are for the VMs that the administrator has chosen it for, and its name is for their owners. */
function checkPolicy(request: RunRequest, { settings, inventory }: RunHandlerDeps): void {
  if (!('policy' in request) || request.policy === undefined || !('vmId' in request)) return;
  const compiled = settings.current().policies.find(({ policy }) => policy.name === request.policy);
  const vm = inventory.vm(request.vmId);
  if (compiled === undefined || vm === undefined || judgeVm(compiled.selection, vm.facts).verdict !== 'selected') throw notFound('policy');
}

async function* watchRun(deps: RunHandlerDeps, call: OfRun, own: (call: OfRun) => Promise<RunRecord>): AsyncIterable<StreamEvent> {
  const { id, vmId } = await own(call);
  for await (const event of deps.runs.watch(id, { ...(call.lastEventId !== undefined && { afterEventId: call.lastEventId }), signal: call.signal })) {
    // It may have been given to somebody else since.
    if (!maySee(call.caller, vmId, deps)) return;
    yield forCaller(event, call.caller);
  }
}

/** More are not named: whoever hears of so many asks for everything. */
const NAMED_VMS = 200;

async function* watchAll(deps: RunHandlerDeps, { caller, lastEventId, signal }: Call): AsyncIterable<StreamEvent> {
  const subjects = new Subjects(deps.runs);
  const events = deps.runs.watchAll({ ...(lastEventId !== undefined && { afterEventId: lastEventId }), signal });
  const tell = (vmIds: readonly number[]): StreamEvent | undefined => {
    const seen = vmIds.filter((vmId) => maySee(caller, vmId, deps)).slice(0, NAMED_VMS);
    // It has no id: nobody comes back behind it, what it says is true until the next one.
    return seen.length === 0 ? undefined : { id: '', time: deps.clock.now().toISOString(), type: 'points.changed', data: { vmIds: seen } };
  };
  for await (const event of withChanges(events, deps.points, tell)) {
    if (event.runId === undefined) {
      yield event;
      continue;
    }
    const subject = await subjects.of(event.runId);
    if (subject !== undefined && maySee(caller, subject.vmId, deps)) yield forCaller(event, caller);
  }
}

/** What administrators do on workers is theirs, as in the policy itself: its owner hears that a command ran, and how it ended. */
function forCaller(event: StreamEvent, caller: Caller): StreamEvent {
  if (caller.role === 'admin' || !event.type.startsWith('command.')) return event;
  const { command: _command, output: _output, ...data } = event.data;
  return { ...event, data };
}

/** Whose runs are is remembered of so many. */
const REMEMBERED = 2000;

/** Which VM a run is of. */
class Subjects {
  readonly #runs: Pick<RunService, 'get'>;
  readonly #known = new Map<string, { readonly vmId: number | undefined }>();

  constructor(runs: Pick<RunService, 'get'>) {
    this.#runs = runs;
  }

  /** Undefined for a run that was forgotten meanwhile. */
  async of(runId: string | undefined): Promise<{ readonly vmId: number | undefined } | undefined> {
    if (runId === undefined) return { vmId: undefined };
    const known = this.#known.get(runId);
    if (known !== undefined) return known;
    const run = await this.#runs.get(runId).catch(() => undefined);
    if (run === undefined) return undefined;
    const [oldest] = this.#known.keys();
    if (this.#known.size >= REMEMBERED && oldest !== undefined) this.#known.delete(oldest);
    const subject = { vmId: run.vmId };
    this.#known.set(runId, subject);
    return subject;
  }
}
