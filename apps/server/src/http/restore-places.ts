import type { RunRequest } from '@onevault/api';
import { type Datastore, datastoreId, isOneError, type OneApi } from '@onevault/one-client';
import type { AccessCaller } from '../access/access-caller.ts';
import { notFound, ServerError } from '../errors.ts';

export interface PlacesDeps {
  /** With the server's own credentials, which may do everything: what the user may do is looked at here. */
  readonly cloud: Pick<OneApi, 'datastore' | 'networks'>;
}

/**
 * A restore is carried out with the server's rights and belongs to the user afterwards: it must not put disks and NICs where the user could not have put them.
 * Datastores and networks that a request names need the user's USE, and the new VM and its images the right to CREATE.
 */
export async function checkPlaces(request: RunRequest, caller: AccessCaller, { cloud }: PlacesDeps): Promise<void> {
  if (request.kind !== 'restore') return;
  checkGiving(request, caller);
  for (const kind of ['VM', 'IMAGE'] as const) if (!caller.mayCreate(kind)) throw mayNotCreate(kind);
  for (const id of datastoresOf(request)) {
    const datastore = await cloud.datastore(datastoreId(id)).catch((error: unknown) => {
      if (isOneError(error, 'ONE_NO_EXISTS')) return undefined;
      throw error;
    });
    if (datastore === undefined || !mayUseDatastore(caller, datastore)) throw notFound(`datastore as ${id}`);
  }
  const wanted = Object.values(request.networks ?? {});
  if (wanted.length === 0) return;
  const networks = await cloud.networks();
  for (const name of wanted) {
    const meant = networks.filter((network) => network.name === name || String(network.id) === name);
    if (meant.length === 0 || !meant.every((network) => caller.may('use', { kind: 'NET', ...network }))) throw notFound(`network as ${name}`);
  }
}

/** What is restored is the user's: to give it to somebody else would be chown, which OpenNebula lets only administrators do. */
function checkGiving({ owner, group, asSaved }: Extract<RunRequest, { kind: 'restore' }>, { role }: AccessCaller): void {
  if (role === 'admin' || (owner === undefined && group === undefined && asSaved !== true)) return;
  throw new ServerError({
    code: 'SERVER_FORBIDDEN',
    message: 'what you restore becomes yours: only an administrator gives it to somebody else',
    hint: 'Leave owner, group and asSaved out, or ask an administrator',
  });
}

function mayUseDatastore(caller: AccessCaller, datastore: Datastore): boolean {
  return caller.may('use', { kind: 'DATASTORE', ...datastore });
}

function datastoresOf(request: Extract<RunRequest, { kind: 'restore' }>): readonly number[] {
  const perDisk = Object.values(request.imageDatastores ?? {});
  return [...new Set([request.imageDatastore, request.systemDatastore, ...perDisk].filter((id) => id !== undefined))];
}

function mayNotCreate(kind: string): ServerError {
  return new ServerError({
    code: 'SERVER_FORBIDDEN',
    message: `OpenNebula does not let you create a ${kind}, and a restore makes one that is yours`,
    hint: `Ask an administrator of OpenNebula for the right (oneacl create "#<you> ${kind}/* CREATE")`,
  });
}
