import { type CallOptions, errorCode } from '@onevault/base';
import { type OneApi, type VmId, type VmSummary, vmId } from '@onevault/one-client';
import { CliError, usageError } from '../errors.ts';
import { parseVmArgument, type VmWanted } from './vm-argument.ts';

/** Finds VMs in the cloud; the pool is read once, and only when a name or a range makes that necessary. */
export async function selectVms(cloud: OneApi, argv: readonly string[], options: CallOptions = {}): Promise<VmId[]> {
  const wanted = argv.flatMap(parseVmArgument);
  if (wanted.length === 0) throw usageError('no VM is named', 'name VMs by id or name, as 1..5 or 1,2,3, or say --all');
  const pool = wanted.every((one) => one.kind === 'id') ? [] : await readPool(cloud, options);
  const found = wanted.flatMap((one) => pick(pool, one));
  return [...new Set(found)];
}

export async function selectVm(cloud: OneApi, argument: string, options: CallOptions = {}): Promise<VmId> {
  const [first, ...others] = await selectVms(cloud, [argument], options);
  if (first === undefined || others.length > 0) throw usageError(`'${argument}' means ${others.length + 1} VMs where one is needed`);
  return first;
}

export async function allVms(cloud: OneApi, options: CallOptions = {}): Promise<VmSummary[]> {
  return await readPool(cloud, options);
}

async function readPool(cloud: OneApi, options: CallOptions): Promise<VmSummary[]> {
  const pool: VmSummary[] = [];
  for await (const vm of cloud.vms(options)) pool.push(vm);
  return pool.sort((a, b) => a.id - b.id);
}

function pick(pool: readonly VmSummary[], wanted: VmWanted): VmId[] {
  switch (wanted.kind) {
    case 'id':
      return [vmId(wanted.id)];
    case 'range': {
      const ids = pool.map((vm) => vm.id).filter((id) => id >= wanted.first && id <= wanted.last);
      if (ids.length === 0) throw vmNotFound(`there is no VM from ${wanted.first} to ${wanted.last}`);
      return ids;
    }
    case 'name': {
      const [first, ...others] = pool.filter((vm) => vm.name === wanted.name);
      if (first === undefined) throw vmNotFound(`there is no VM named '${wanted.name}'`);
      if (others.length === 0) return [first.id];
      const ids = [first, ...others].map((vm) => vm.id);
      throw new CliError({
        code: 'CLI_VM_AMBIGUOUS',
        message: `${ids.length} VMs are named '${wanted.name}': ${ids.join(', ')}`,
        details: { name: wanted.name, ids },
        hint: 'name it by its id',
      });
    }
  }
}

/** OpenNebula's answer about an id that does not exist, said in the same way as for a name. */
export function asVmError(error: unknown, id: number): unknown {
  return errorCode(error) === 'ONE_NO_EXISTS' ? vmNotFound(`there is no VM ${id}`, error) : error;
}

function vmNotFound(message: string, cause?: unknown): CliError {
  return new CliError({
    code: 'CLI_VM_NOT_FOUND',
    message,
    hint: 'onevault vm list shows the VMs this user may see; a VM that is DONE cannot be backed up',
    ...(cause !== undefined && { cause }),
  });
}
