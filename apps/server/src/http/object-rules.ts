import type { Operation, RunRequest } from '@onevault/api';
import { isBaseError } from '@onevault/base';
import type { AccessCaller } from '../access/access-caller.ts';
import { mayDoTo, mayOfRun, type VmRight, vmOrUnknown } from '../access/run-rights.ts';
import { notFound, ServerError } from '../errors.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Inventory, InventoryVm } from '../ports/inventory.ts';
import type { RunService } from '../ports/run-service.ts';
import { checkPlaces, type PlacesDeps } from './restore-places.ts';

export interface ObjectDeps extends PlacesDeps {
  readonly inventory: Pick<Inventory, 'vm'>;
  readonly catalog: Pick<Catalog, 'get'>;
  readonly runs: Pick<RunService, 'get'>;
}

interface Named {
  readonly params: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

/**
 * Whether the caller may do this to what path or body name. What they may not USE answers like what is not there (SERVER_NOT_FOUND); what they may USE and
 * not MANAGE is refused by name (SERVER_FORBIDDEN).
 */
export async function checkObjects(operation: Operation, named: Named, caller: AccessCaller, deps: ObjectDeps): Promise<void> {
  if (operation.objects !== 'vm-use' && operation.objects !== 'vm-manage') return;
  const right: VmRight = operation.objects === 'vm-use' ? 'use' : 'manage';
  const { vmId, repository, pointId, runId } = named.params;
  if (typeof vmId === 'number') return requireVm(vmId, right, caller, deps);
  if (typeof repository === 'string' && typeof pointId === 'string') return requirePoint(repository, pointId, right, caller, deps);
  if (typeof runId === 'string') return requireRun(runId, right, caller, deps);
  return requireRequest(named.body as RunRequest, caller, deps);
}

async function requireRequest(request: RunRequest, caller: AccessCaller, deps: ObjectDeps): Promise<void> {
  if ('vmId' in request) await requireVm(request.vmId, 'manage', caller, deps);
  else if ('pointId' in request) await requirePoint(request.repository, request.pointId, 'manage', caller, deps);
  else if (caller.role !== 'admin') throw wholeRepository(request.kind);
  await checkPlaces(request, caller, deps);
}

async function requireVm(vmId: number, right: VmRight, caller: AccessCaller, { inventory }: ObjectDeps): Promise<void> {
  requireRight(inventory.vm(vmId), 'VM', right, caller);
}

async function requirePoint(repository: string, pointId: string, right: VmRight, caller: AccessCaller, deps: ObjectDeps): Promise<void> {
  const point = await deps.catalog.get(repository, pointId);
  requireRight(point && vmOrUnknown(point.vmId, deps), 'restore point', right, caller);
}

function requireRight(vm: InventoryVm | undefined, what: string, right: VmRight, caller: AccessCaller): void {
  if (vm === undefined || !caller.mayUse(vm)) throw notFound(what);
  if (!mayDoTo(caller, right, vm)) throw mayOnlyUse(what);
}

async function requireRun(runId: string, right: VmRight, caller: AccessCaller, deps: ObjectDeps): Promise<void> {
  const run = await deps.runs.get(runId).catch((error: unknown) => {
    throw isBaseError(error) && error.code === 'QUEUE_RUN_NOT_FOUND' ? notFound('run') : error;
  });
  if (!(await mayOfRun(caller, 'use', run, deps))) throw notFound('run');
  if (!(await mayOfRun(caller, right, run, deps))) throw mayOnlyUse('run');
}

function mayOnlyUse(what: string): ServerError {
  return new ServerError({
    code: 'SERVER_FORBIDDEN',
    message: `you may USE the VM of this ${what}, and this needs MANAGE`,
    hint: 'Ask its owner, or an administrator of OpenNebula (onevm chmod, oneacl)',
  });
}

function wholeRepository(kind: string): ServerError {
  return new ServerError({
    code: 'SERVER_FORBIDDEN',
    message: `${kind} is of everybody's restore points, and for administrators`,
    hint: 'Ask an administrator of onevault',
  });
}
