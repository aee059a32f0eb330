import { type Answer, type ApiClient, createApiClient } from '@onevault/api';
import { findConnection } from '@onevault/one-client';
import type { CommandContext } from '../command-context.ts';
import type { TableFlags } from '../commands/table-flags.ts';
import { tableOptions } from '../commands/table-flags.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { type Column, renderTable } from '../render/table.ts';
import { formatTime } from '../render/units.ts';
import { parseDate } from '../select/date-argument.ts';
import { parseSpan } from '../select/time-span.ts';
import { nodeFetch } from './node-fetch.ts';
import { needsServer } from './not-through-server.ts';
import { type RemoteContext, readCa, warnOfPlainHttp } from './remote-context.ts';
import { asRemoteError } from './remote-error.ts';
import type { ServerSettings } from './server-settings.ts';

type Token = Answer<'listTokens'>[number];

const COLUMNS: readonly Column<Token>[] = [
  { name: 'ID', value: ({ id }) => id },
  { name: 'NAME', value: ({ name }) => name },
  { name: 'OWNER', value: ({ owner }) => owner },
  { name: 'ROLE', value: ({ role }) => role },
  { name: 'CREATED', value: ({ createdAt }) => formatTime(createdAt) },
  { name: 'EXPIRES', value: ({ expiresAt }) => formatTime(expiresAt) },
  { name: 'USED', value: ({ lastUsedAt }) => lastUsedAt && formatTime(lastUsedAt) },
  { name: 'OPERATIONS', extra: true, value: ({ operations }) => operations?.join(',') },
];

export async function tokenList({ client, output, signal }: RemoteContext, flags: TableFlags): Promise<ExitCode> {
  const tokens = await client.call('listTokens', {}, { signal });
  for (const line of renderTable(COLUMNS, tokens, tableOptions(flags))) output.line(line);
  output.document('token.list', { tokens });
  return EXIT.ok;
}

export async function tokenDelete({ client, output, signal }: RemoteContext, ids: readonly string[]): Promise<ExitCode> {
  for (const tokenId of ids) {
    await client.call('deleteToken', { params: { tokenId } }, { signal });
    output.line(`token id=${tokenId} deleted=yes`);
  }
  output.document('token.delete', { tokens: ids });
  return EXIT.ok;
}

export interface TokenFlags {
  readonly role: 'viewer' | 'operator' | 'admin';
  readonly expires: string;
  readonly operation?: readonly string[];
}

/**
 * A token makes no tokens: whoever wants one signs in with their credentials of OpenNebula (ONE_AUTH), for as long as it takes. The secret goes to stdout, once, and nowhere
 * else.
 */
export async function tokenCreate(context: CommandContext, name: string, flags: TokenFlags): Promise<ExitCode> {
  const { output, clock, settings, signal } = context;
  const { server } = settings;
  if (server === undefined) return needsServer();
  const expiresAt = expiry(flags.expires, clock.now()).toISOString();
  await using session = await signIn(context, server);
  const body = { name, role: flags.role, expiresAt, ...(flags.operation !== undefined && { operations: [...flags.operation] }) };
  const token = await session.client.call('createToken', { body }, { signal }).catch((error: unknown) => {
    throw asRemoteError(error);
  });
  output.note(`token ${token.name} (${token.id}) of ${token.owner}, ${token.role}, until ${formatTime(token.expiresAt)}; it is shown this once:`);
  output.line(token.secret);
  output.document('token.create', { token });
  return EXIT.ok;
}

function expiry(text: string, now: Date): Date {
  return /^\d+[smhdw]$/.test(text) ? new Date(now.getTime() + parseSpan(text, 'an expiry')) : parseDate(text, '--expires');
}

/** Ended when disposed. The password goes to the server over the connection that the token would. */
async function signIn({ settings, output, signal }: CommandContext, server: ServerSettings): Promise<AsyncDisposable & { readonly client: ApiClient }> {
  warnOfPlainHttp(server, output);
  const { session } = await findConnection(settings.oneEnvironment, { signal });
  const [user = '', ...password] = session.reveal().split(':');
  if (password.length === 0) throw usageError('ONE_AUTH holds no user:password', 'sign in with credentials of OpenNebula to make a token');
  const connection = nodeFetch({ ca: await readCa(server, { signal }) });
  const known: Record<string, string> = {};
  const keepCookie: typeof fetch = async (input, init) => {
    const response = await connection.fetch(input, init);
    const cookies = response.headers.getSetCookie().map((cookie) => cookie.split(';', 1)[0] ?? '');
    if (cookies.length > 0) known['cookie'] = cookies.join('; ');
    return response;
  };
  const client = createApiClient({ baseUrl: server.url, fetch: keepCookie, headers: () => known });
  try {
    const { csrfToken } = await client.call('signIn', { body: { user, password: password.join(':') } }, { signal });
    known['x-csrf-token'] = csrfToken;
  } catch (error) {
    connection[Symbol.dispose]();
    throw asRemoteError(error);
  }
  return {
    client,
    async [Symbol.asyncDispose]() {
      await client.call('signOut', {}).catch(() => undefined);
      connection[Symbol.dispose]();
    },
  };
}
