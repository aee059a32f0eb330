import { readFile } from 'node:fs/promises';
import { type ApiClient, createApiClient } from '@onevault/api';
import type { CallOptions } from '@onevault/base';
import type { CommandContext } from '../command-context.ts';
import { CliError, usageError } from '../errors.ts';
import type { ExitCode } from '../exit.ts';
import type { Output } from '../render/output.ts';
import { nodeFetch } from './node-fetch.ts';
import { readToken } from './read-token.ts';
import { asRemoteError } from './remote-error.ts';
import type { ServerSettings } from './server-settings.ts';

/** What a command gets that works through a server: a client of it instead of everything that would be opened here. */
export interface RemoteContext extends Omit<CommandContext, 'compose'> {
  readonly server: ServerSettings;
  readonly client: ApiClient;
}

export type RemoteWork = (context: RemoteContext) => Promise<ExitCode>;

/** Does a command's work at the server. */
export async function throughServer(context: CommandContext, server: ServerSettings, work: RemoteWork): Promise<ExitCode> {
  const { signal } = context;
  const token = server.token && (await readToken(server.token, { signal }));
  if (token === undefined) throw tokenUnset(server);
  warnOfPlainHttp(server, context.output);
  using connection = nodeFetch({ ca: await readCa(server, { signal }) });
  const client = createApiClient({ baseUrl: server.url, fetch: connection.fetch, headers: () => ({ authorization: `Bearer ${token.reveal()}` }) });
  try {
    return await work({ ...context, server, client });
  } catch (error) {
    throw asRemoteError(error);
  }
}

export async function readCa({ caFile }: ServerSettings, { signal }: CallOptions): Promise<string | undefined> {
  if (caFile === undefined) return undefined;
  try {
    return await readFile(caFile, { encoding: 'utf8', ...(signal && { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    throw usageError(`${caFile} cannot be read: ${error instanceof Error ? error.message : String(error)}`, undefined, error);
  }
}

/** What anybody on the way reads, they can use. */
export function warnOfPlainHttp({ url }: ServerSettings, output: Pick<Output, 'warn'>): void {
  if (url.protocol === 'http:' && !/^(localhost|\[::1\]|127\.[\d.]+)$/.test(url.hostname))
    output.warn(`what is sent to ${url.origin} goes over the network in the clear: use https`);
}

function tokenUnset({ url }: ServerSettings): CliError {
  return new CliError({
    code: 'CLI_TOKEN_UNREADABLE',
    message: `there is no token for ${url.href}`,
    hint: 'set ONEVAULT_TOKEN, or name a file with mode 600 in ONEVAULT_TOKEN_FILE or --token-file; onevault token create makes one',
  });
}
