import { closeSync, fdatasyncSync, openSync, readdirSync } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { PGlite, types } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { QueueError } from '../errors.ts';
import { damaged, isDamage } from './damaged.ts';
import { makeDataDirectory } from './data-directory.ts';

/** PostgreSQL in this process. Its directory is ours alone for as long as it is open. */
export interface Embedded extends AsyncDisposable {
  readonly pglite: PGlite;
}

/**
 * Opens (or makes) the embedded database. Two processes in one directory would ruin it, which PGlite does not notice (electric-sql/pglite#1106): a socket
 * that only one can listen on keeps the second one out, and goes with the process however that ends. Throws QUEUE_DATABASE_IN_USE.
 */
export async function openEmbedded(directory: string): Promise<Embedded> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const lock = await lockDirectory(join(directory, 'lock.sock'));
  try {
    const pglite = await begin(join(directory, 'pg18'));
    return {
      pglite,
      async [Symbol.asyncDispose]() {
        await pglite.close();
        await closed(lock);
      },
    };
  } catch (error) {
    await closed(lock);
    throw error;
  }
}

/**
 * Nobody vacuums here, so the planner knows nothing of how many rows there are, and takes sorting a whole table for cheaper than an index: every question that is asked
 * often has an index.
 */
const PLANNER = ['-c', 'enable_seqscan=off', '-c', 'enable_bitmapscan=off'];

/** What every database has. PGlite makes a new one where PG_VERSION is missing, whatever else is there. */
const PARTS = ['PG_VERSION', 'global/pg_control', 'base', 'pg_wal'];

async function begin(directory: string): Promise<PGlite> {
  const entries = await readdir(directory).catch(() => []);
  if (entries.length === 0) await makeDataDirectory(directory);
  const missing = await partsMissing(directory);
  if (missing.length > 0) throw damaged(directory, `it has no ${missing.join(', ')}`);
  try {
    return await PGlite.create({
      fs: new DurableFs(directory),
      startParams: [...PGlite.defaultStartParams, '-c', 'shared_buffers=16MB', ...PLANNER],
      relaxedDurability: false,
      parsers: { [types.INT8]: Number },
    });
  } catch (error) {
    if (!isDamage(error)) throw error;
    throw damaged(directory, error instanceof Error ? error.message : String(error), error);
  }
}

async function partsMissing(directory: string): Promise<readonly string[]> {
  const found = await Promise.all(PARTS.map(async (part) => ((await stat(join(directory, part)).catch(() => undefined))?.size ?? 0) > 0));
  return PARTS.filter((_, i) => found[i] !== true);
}

/** PGlite runs with fsync off and does not sync files of Node (electric-sql/pglite#1107); it calls this after each statement that wrote. */
class DurableFs extends NodeFS {
  readonly #walDirectory: string;

  constructor(directory: string) {
    super(directory);
    this.#walDirectory = join(directory, 'pg_wal');
  }

  override async syncToFs(): Promise<void> {
    for (const name of readdirSync(this.#walDirectory)) {
      if (!/^[0-9A-F]{24}$/.test(name)) continue;
      const fd = openSync(join(this.#walDirectory, name), 'r+');
      try {
        fdatasyncSync(fd);
      } finally {
        closeSync(fd);
      }
    }
  }
}

async function lockDirectory(path: string): Promise<Server> {
  for (let tries = 0; ; tries++) {
    const server = createServer((socket) => socket.destroy());
    const error = await listening(server, path);
    if (error === undefined) {
      server.unref();
      return server;
    }
    if (error.code !== 'EADDRINUSE' || tries > 0 || (await answers(path))) {
      throw new QueueError({
        code: 'QUEUE_DATABASE_IN_USE',
        message: `the embedded database beside ${path} cannot be opened: ${error.code === 'EADDRINUSE' ? 'another process has it open' : error.message}`,
        details: { path },
        hint: 'one server per state directory; several share the work through PostgreSQL (DATABASE_URL)',
        cause: error,
      });
    }
    await rm(path, { force: true }); // nobody listens: left by a process that was killed
  }
}

function listening(server: Server, path: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    server.once('error', resolve);
    server.listen(path, () => resolve(undefined));
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
