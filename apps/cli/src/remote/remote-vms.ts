import type { Answer } from '@onevault/api';
import { CliError, usageError } from '../errors.ts';
import { parseVmArgument, type VmWanted } from '../select/vm-argument.ts';
import type { RemoteContext } from './remote-context.ts';

export type RemoteVm = Answer<'listVms'>['items'][number];

const PAGE = 500;

type Asking = Pick<RemoteContext, 'client' | 'signal'>;

/** Every VM that the server shows us, page by page; `search`: a selector, or text that the name contains. */
export async function* remoteVms({ client, signal }: Asking, search?: string): AsyncGenerator<RemoteVm, void> {
  let cursor: string | undefined;
  do {
    const page = await client.call('listVms', { query: { limit: PAGE, sort: 'id', search, cursor } }, { signal });
    yield* page.items;
    cursor = page.next;
  } while (cursor !== undefined);
}

/** VMs that exist, as `6`, `1..5`, `1,2,web`. The list is read only when a name or a range makes that necessary. */
export async function selectRemoteVms(context: Asking, argv: readonly string[], flags: { readonly all?: boolean | undefined } = {}): Promise<number[]> {
  if (flags.all === true && argv.length > 0) throw usageError('VMs are named and --all is given', 'one or the other');
  const wanted = argv.flatMap(parseVmArgument);
  if (flags.all !== true && wanted.length === 0) throw usageError('no VM is named', 'name VMs by id or name, as 1..5 or 1,2,3, or say --all');
  const pool: RemoteVm[] = [];
  if (flags.all === true || wanted.some(({ kind }) => kind !== 'id')) for await (const vm of remoteVms(context)) if (vm.exists) pool.push(vm);
  if (flags.all === true) return pool.map(({ id }) => id);
  return [...new Set(wanted.flatMap((one) => pick(pool, one)))];
}

export async function selectRemoteVm(context: Asking, argument: string): Promise<number> {
  const [first, ...others] = await selectRemoteVms(context, [argument]);
  if (first === undefined || others.length > 0) throw usageError(`'${argument}' means ${others.length + 1} VMs where one is needed`);
  return first;
}

/** A VM that has restore points, also one that is gone. */
export async function selectRemotePast(context: Asking, argument: string): Promise<number> {
  if (/^\d+$/.test(argument)) return Number(argument);
  const found: RemoteVm[] = [];
  for await (const vm of remoteVms(context, argument)) if (vm.name === argument) found.push(vm);
  return only(argument, found);
}

function pick(pool: readonly RemoteVm[], wanted: VmWanted): number[] {
  switch (wanted.kind) {
    case 'id':
      return [wanted.id];
    case 'range': {
      const ids = pool.map(({ id }) => id).filter((id) => id >= wanted.first && id <= wanted.last);
      if (ids.length === 0) throw vmNotFound(`there is no VM from ${wanted.first} to ${wanted.last}`);
      return ids;
    }
    case 'name':
      return [
        only(
          wanted.name,
          pool.filter(({ name }) => name === wanted.name),
        ),
      ];
  }
}

function only(name: string, found: readonly RemoteVm[]): number {
  const [first, ...others] = found;
  if (first === undefined) throw vmNotFound(`there is no VM named '${name}'`);
  if (others.length === 0) return first.id;
  const ids = found.map(({ id }) => id);
  throw new CliError({
    code: 'CLI_VM_AMBIGUOUS',
    message: `${ids.length} VMs are named '${name}': ${ids.join(', ')}`,
    details: { name, ids },
    hint: 'name it by its id',
  });
}

function vmNotFound(message: string): CliError {
  return new CliError({ code: 'CLI_VM_NOT_FOUND', message, hint: 'onevault vm list shows the VMs that you may see there' });
}
