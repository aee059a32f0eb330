import { type CallOptions, Scope } from '@onevault/base';
import { type Database, openDatabase } from '@onevault/run-queue';
import { ServerError } from '../errors.ts';
import { ServerWorker } from '../work/server-worker.ts';
import { startApiSide } from './api-side.ts';
import type { ServerOptions } from './server-options.ts';
import { openStateDirectory, type StateDirectory } from './state-directory.ts';

export interface RunningServer extends AsyncDisposable {
  /** Where it answers; undefined for a worker. */
  readonly url: URL | undefined;
  /** Reads certificates and settings again. */
  reload(): Promise<void>;
}

/**
 * Starts a server in one of its roles; resolves when it answers, or takes runs. Disposing ends it in order: what is under way is stopped, taken back and given to others.
 * Throws what stands in the way, typed.
 */
export async function startServer(options: ServerOptions, call: CallOptions = {}): Promise<RunningServer> {
  checkRole(options);
  await using scope = new Scope();
  const state = await openStateDirectory(options.settings.stateDir);
  const database = scope.use(await openServerDatabase(options, state));
  // The worker first: it ends last, and the API knows which datastores there are when it is asked for the first run.
  if (options.role !== 'api') await scope.use(workerOf(options, database, state)).start(call);
  const api = options.role === 'worker' ? undefined : scope.use(await startApiSide(options, database, state, call));
  const owned = scope.move();
  return {
    url: api?.url,
    reload: async () => api?.reload(),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** The embedded database is in one process. */
function checkRole({ role, databaseUrl }: ServerOptions): void {
  if (role === 'all' || databaseUrl !== undefined) return;
  throw new ServerError({
    code: 'SERVER_SETTINGS_INVALID',
    message: `a server with the role ${role} shares its work with others, and the embedded database is of one process`,
    hint: 'set DATABASE_URL to a PostgreSQL that all of them reach, or leave --role out: one process does it all',
  });
}

function openServerDatabase({ databaseUrl, clock }: ServerOptions, state: StateDirectory): Promise<Database> {
  return openDatabase(databaseUrl === undefined ? { kind: 'embedded', directory: state.database } : { kind: 'postgresql', url: databaseUrl }, { clock });
}

function workerOf({ settings, env, clock, logger, redactor, worker }: ServerOptions, database: Database, state: StateDirectory): ServerWorker {
  return new ServerWorker({ settings, secretsDirectory: state.secrets, env, clock, logger, redactor }, database, worker);
}
