import type { Secret } from '@onevault/base';
import type { PostgresPool, PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { betweenUs, cannotBegin } from './postgresql-errors.ts';

/** Connections of one process at most. */
const POOL_CONNECTIONS = 8;
const CONNECT_MS = 10_000;
const INT8 = pg.types.builtins.INT8;

/**
 * Connections to a PostgreSQL server. One that broke is never used again; a server that went away and came back is simply connected to anew. A server that lost us in
 * the middle of a transaction ends it, and with it the locks that others wait for, long before they are taken for dead; a network that swallows everything looks like
 * a query that takes long, and is given up when we are.
 */
export function connectPostgresql(url: Secret, heartbeatMs: number): PostgresPool {
  const pool = new pg.Pool({
    connectionString: url.reveal(),
    application_name: 'onevault',
    max: POOL_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: heartbeatMs,
    idle_in_transaction_session_timeout: Math.ceil(heartbeatMs / 6),
    keepAlive: true,
    // bigint as a number, as the embedded database gives it: what we count stays far below 2^53.
    types: { getTypeParser: (oid, format) => (oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) },
  });
  pool.on('error', () => undefined); // of an idle connection; whoever asks next gets a new one
  return {
    options: pool.options,
    connect: async () => lent(await pool.connect().catch(refused)),
    end: () => pool.end(),
  };
}

function refused(error: unknown): never {
  throw cannotBegin(error);
}

/** While it is lent out nobody but us hears that a connection broke: unheard, it would end the process. */
function lent(client: pg.PoolClient): PostgresPoolClient {
  let broken = false;
  const onError = (): void => {
    broken = true;
  };
  client.on('error', onError);
  const query = async (text: string, values: readonly unknown[]): Promise<pg.QueryResult> => {
    try {
      return await client.query(text, [...values]);
    } catch (error) {
      // Anything that the server itself did not answer, and what it says when it goes: the state of this connection is unknown.
      if (!(error instanceof pg.DatabaseError) || error.severity === 'FATAL' || error.severity === 'PANIC') broken = true;
      throw betweenUs(error) ?? error;
    }
  };
  return {
    query: query as unknown as PostgresPoolClient['query'], // cursors are not used
    release() {
      client.off('error', onError);
      client.release(broken);
    },
  };
}
