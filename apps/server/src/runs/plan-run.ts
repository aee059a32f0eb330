import type { RunRequest } from '@onevault/api';
import { parseDuration } from '@onevault/policies';
import type { JsonObject, RunSpec } from '@onevault/run-queue';
import { notFound, ServerError } from '../errors.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Inventory } from '../ports/inventory.ts';
import type { StartOptions } from '../ports/run-service.ts';
import type { RepositorySetting, ServerSettings } from '../ports/settings-store.ts';
import type { WorkOrder } from '../ports/work-order.ts';
import { datastoreReach, PROXY_REACH } from '../work/proxy-reach.ts';
import { mayComeAgain } from '../work/retryable.ts';
import { plain } from '../work/run-ledger.ts';

export interface PlanDeps {
  readonly settings: ServerSettings;
  readonly inventory: Pick<Inventory, 'vm'>;
  readonly catalog: Pick<Catalog, 'get'>;
  /** Image datastores that there are, as far as a worker has said. */
  readonly imageDatastores: ReadonlySet<number>;
}

/** Somebody waits for it; a schedule's has its policy's priority. */
const ASKED_PRIORITY = 70;

/**
 * The work order and the terms under which the queue gives it to a worker: what it occupies, what its worker must reach, when it is tried again. Throws SERVER_NOT_FOUND
 * for a repository, policy, VM or restore point that is not there, SERVER_REQUEST_INVALID for a policy that is none of this kind of run.
 */
export async function planRun(request: RunRequest, options: StartOptions, deps: PlanDeps): Promise<RunSpec> {
  const repository = 'repository' in request ? repositoryOf(deps.settings, request.repository) : undefined;
  const policy = policyOf(request, deps.settings, repository);
  const vm = await vmOf(request, deps);
  const { origin, slot, owner, stopAtMs, startByMs, priority } = options;
  const order: WorkOrder = {
    request: { ...request },
    ...(repository !== undefined && { repository: { name: repository.name, place: repository.place, ...secretOf(repository) } }),
    ...(policy !== undefined && { policy: { ...policy } }),
    ...(owner !== undefined && { owner }),
    ...(stopAtMs !== undefined && { stopAtMs }),
    ...(startByMs !== undefined && { startByMs }),
  };
  return {
    kind: request.kind,
    request: plain(order) as JsonObject,
    ...(vm !== undefined && { vmId: vm.id, vmName: vm.name }),
    // Looking after a repository has no policy, and a slot all the same: two schedulers that see it begin one run.
    ...(slot !== undefined && { schedule: { policy: policy?.name ?? origin.name, slot } }),
    origin,
    priority: priority ?? (slot === undefined ? ASKED_PRIORITY : (policy?.priority ?? ASKED_PRIORITY)),
    holds: holdsOf(request, vm?.id, deps),
    reach: reachOf(request, vm?.id, deps),
    retry:
      policy === undefined || !mayComeAgain(request.kind)
        ? { times: 0, afterMs: 0 }
        : { times: policy.retry.times, afterMs: parseDuration(policy.retry.after) },
    ...(startByMs !== undefined && { startBefore: new Date(startByMs) }),
  };
}

function secretOf({ secretFile }: RepositorySetting): { readonly secretFile?: string } {
  return secretFile === undefined ? {} : { secretFile };
}

function repositoryOf({ repositories }: ServerSettings, name: string): RepositorySetting {
  const found = repositories.find((repository) => repository.name === name);
  if (found === undefined) throw notFound('repository');
  return found;
}

type AnyPolicy = ServerSettings['policies'][number]['policy'];

function policyOf(request: RunRequest, { policies }: ServerSettings, repository: RepositorySetting | undefined): AnyPolicy | undefined {
  if (!('policy' in request) || request.policy === undefined) return undefined;
  const found = policies.find(({ policy }) => policy.name === request.policy)?.policy;
  if (found === undefined) throw notFound('policy');
  const wanted = request.kind === 'snapshot-create' ? 'snapshot' : 'backup';
  if (found.kind !== wanted) throw wrongPolicy(`policy ${found.name} is one of ${found.kind}s`, `name a ${wanted} policy`);
  if (found.kind === 'backup' && repository !== undefined && found.repository !== repository.name)
    throw wrongPolicy(`policy ${found.name} is for repository ${found.repository}`, `name that one, or no policy`);
  return found;
}

function wrongPolicy(message: string, hint: string): ServerError {
  return new ServerError({ code: 'SERVER_REQUEST_INVALID', message, hint });
}

/** The VM that it is about: of a restore, the one that was saved. */
async function vmOf(request: RunRequest, { inventory, catalog }: PlanDeps): Promise<{ readonly id: number; readonly name: string } | undefined> {
  if ('vmId' in request) {
    const vm = inventory.vm(request.vmId);
    if (vm === undefined) throw notFound('VM');
    return { id: vm.facts.id, name: vm.facts.name };
  }
  if (!('pointId' in request)) return undefined;
  const point = await catalog.get(request.repository, request.pointId);
  if (point === undefined) throw notFound('restore point');
  return { id: point.vmId, name: point.vmName };
}

const MOVES_DATA: ReadonlySet<RunRequest['kind']> = new Set(['backup', 'restore', 'restore-in-place', 'drill']);
/** Work on the VM itself: one at a time. A restore as a new VM leaves the saved one alone. */
const ON_THE_VM: ReadonlySet<RunRequest['kind']> = new Set(['backup', 'restore-in-place', 'undo', 'snapshot-create', 'snapshot-revert', 'snapshot-delete']);
/** One of each repository at a time: they read or rewrite all of it. */
const CHORES: ReadonlySet<RunRequest['kind']> = new Set(['verify', 'retention', 'gc']);

function holdsOf(request: RunRequest, vmId: number | undefined, { inventory }: PlanDeps): string[] {
  const vm = vmId === undefined ? undefined : inventory.vm(vmId);
  const holds = ['total'];
  if (ON_THE_VM.has(request.kind) && vmId !== undefined) holds.push(`vm:${vmId}`);
  if (MOVES_DATA.has(request.kind)) {
    if (vm?.hostId !== undefined && ON_THE_VM.has(request.kind)) holds.push(`host:${vm.hostId}`);
    for (const id of datastoresOf(request, vm)) holds.push(`datastore:${id}`);
    if ('repository' in request) holds.push(`repository:${request.repository}`);
  }
  if (CHORES.has(request.kind) && 'repository' in request) holds.push(`chore:${request.repository}`);
  return holds;
}

/** What is nowhere any more is not waited for: the run begins, and fails with what it finds. */
function reachOf(request: RunRequest, vmId: number | undefined, { inventory, imageDatastores }: PlanDeps): string[] {
  if (!MOVES_DATA.has(request.kind)) return [];
  const vm = vmId === undefined ? undefined : inventory.vm(vmId);
  return [
    PROXY_REACH,
    ...datastoresOf(request, vm)
      .filter((id) => imageDatastores.has(id))
      .map(datastoreReach),
  ];
}

/** Where its disks are read, or written. */
function datastoresOf(request: RunRequest, vm: ReturnType<Inventory['vm']>): number[] {
  const own = vm?.datastoreIds ?? [];
  if (request.kind !== 'restore') return [...new Set(own)];
  const named = Object.values(request.imageDatastores ?? {});
  return [...new Set(request.imageDatastore === undefined ? [...named, ...own] : [...named, request.imageDatastore])];
}
