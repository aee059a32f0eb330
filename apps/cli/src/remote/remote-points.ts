import { type Answer, isApiError } from '@onevault/api';
import { CliError, usageError } from '../errors.ts';
import type { RemoteContext } from './remote-context.ts';
import { selectRemotePast } from './remote-vms.ts';

export type RemotePoint = Answer<'getPoint'>;

type Asking = Pick<RemoteContext, 'client' | 'signal' | 'server'>;

const PAGE = 500;

/** Restore points of a VM, newest first; of the repository that was named, if one was. */
export async function* remotePoints({ client, signal, server }: Asking, vmId: number): AsyncGenerator<RemotePoint, void> {
  let cursor: string | undefined;
  do {
    const page = await client.call('listPointsOfVm', { params: { vmId }, query: { limit: PAGE, cursor } }, { signal });
    for (const point of page.items) if (server.repository === undefined || point.repository === server.repository) yield point;
    cursor = page.next;
  } while (cursor !== undefined);
}

/** `latest` or `latest~1` of a VM; an id; or, of a named VM, a unique prefix of one. */
export async function selectRemotePoint(context: Asking, text: string, vm: string | undefined): Promise<RemotePoint> {
  const latest = /^latest(?:~(\d+))?$/.exec(text);
  if (latest === null && vm === undefined) return byId(context, text);
  if (vm === undefined) throw usageError(`'${text}' needs a VM: a server holds restore points of many`, 'say which with --vm ID or --vm NAME');
  const vmId = await selectRemotePast(context, vm);
  if (latest !== null) return nth(context, vmId, Number(latest[1] ?? 0), text);
  const found: RemotePoint[] = [];
  for await (const point of remotePoints(context, vmId)) {
    if (point.id === text) return point;
    if (point.id.startsWith(text)) found.push(point);
  }
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  if (only === undefined) throw notFound(text, vm);
  throw new CliError({ code: 'CLI_POINT_AMBIGUOUS', message: `${found.length} restore points of VM ${vm} begin with '${text}'`, hint: 'type more of it' });
}

async function nth(context: Asking, vmId: number, back: number, text: string): Promise<RemotePoint> {
  let at = 0;
  for await (const point of remotePoints(context, vmId)) if (at++ === back) return point;
  throw notFound(text, String(vmId));
}

async function byId(context: Asking, id: string): Promise<RemotePoint> {
  if (!/^[0-9A-Za-z-]{1,80}$/.test(id)) throw usageError(`'${id}' is no id of a restore point`, 'onevault point list VM shows them');
  const repository = await repositoryAt(context);
  return context.client.call('getPoint', { params: { repository, pointId: id } }, { signal: context.signal }).catch((error: unknown) => {
    throw isApiError(error, 'SERVER_NOT_FOUND') ? noSuchPoint(id, repository, error) : error;
  });
}

function noSuchPoint(id: string, repository: string, cause: unknown): CliError {
  return new CliError({
    code: 'CLI_POINT_NOT_FOUND',
    message: `there is no restore point ${id} in repository ${repository}`,
    hint: 'give the whole id; with --vm its beginning is enough, and latest is one',
    cause,
  });
}

/** The repository that is meant at the server: the one that was named, or its only one. */
export async function repositoryAt({ client, signal, server }: Asking): Promise<string> {
  if (server.repository !== undefined) return server.repository;
  const names = (await client.call('listRepositories', {}, { signal })).map(({ name }) => name);
  const [only, ...others] = names;
  if (only !== undefined && others.length === 0) return only;
  throw usageError(
    only === undefined ? 'the server has no repository' : `the server has ${names.length} repositories`,
    only === undefined ? 'an administrator adds one, with onevault apply or in the web UI' : `name one with --repo: ${names.join(', ')}`,
  );
}

function notFound(text: string, vm: string): CliError {
  return new CliError({
    code: 'CLI_POINT_NOT_FOUND',
    message: `there is no restore point ${text} of VM ${vm}`,
    hint: 'onevault point list VM shows what there is',
  });
}
