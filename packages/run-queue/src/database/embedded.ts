import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { PGlite, types } from '@electric-sql/pglite';
import { type Clock, errorCode } from '@onevault/base';
import { QueueError } from '../errors.ts';
import { damaged } from './damaged.ts';
import { makeDataDirectory } from './data-directory.ts';
import { DurableFs, SYNCED } from './durable-fs.ts';
import { cannotOpen, ended } from './embedded-errors.ts';
import { MortalPGlite } from './mortal-pglite.ts';

/** PostgreSQL in this process. Its directory is ours alone for as long as it is open. */
export interface Embedded extends AsyncDisposable {
  readonly directory: string;
  /**
   * The one connection, to be asked for again before each use: PostgreSQL that died (no space for its log) is begun anew, from which it comes back with all that was
   * acknowledged, as soon as that is possible. Throws why it is not.
   */
  connect(): Promise<MortalPGlite>;
}

/** Beginning anew takes most of a second, in which nothing else is done. */
const AGAIN_MS = 10_000;

/**
 * PostgreSQL without processes of its own never makes a checkpoint by itself (XLogWrite in src/backend/access/transam/xlog.c): its log would grow until the server ends.
 * Every so often we look how long it is.
 */
const LOOK_MS = 10_000;
const MAX_LOG_BYTES = 48 * 2 ** 20;
const LOG_BYTES = 'select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::float8 as bytes from pg_control_checkpoint()';
/** Files of the log that are kept for what comes. */
const LOG = ['-c', 'max_wal_size=64MB', '-c', 'min_wal_size=32MB'];

/**
 * Opens (or makes) the embedded database. Two processes in one directory would ruin it, which PGlite does not notice (electric-sql/pglite#1106): a socket
 * that only one can listen on keeps the second one out, and goes with the process however that ends. Throws QUEUE_DATABASE_IN_USE and what `surroundings` tells.
 */
export async function openEmbedded(directory: string, clock: Clock): Promise<Embedded> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const lock = await lockDirectory(join(directory, 'lock.sock'));
    try {
      return await Reopening.open(directory, clock, lock);
    } catch (error) {
      await closed(lock);
      throw error;
    }
  } catch (error) {
    throw cannotOpen(directory, error);
  }
}

class Reopening implements Embedded {
  readonly directory: string;
  readonly #clock: Clock;
  readonly #lock: Server;
  #pglite: MortalPGlite;
  #failure: QueueError | undefined;
  #againMs = 0;
  #lookMs = 0;

  private constructor(directory: string, clock: Clock, lock: Server, pglite: MortalPGlite) {
    this.directory = directory;
    this.#clock = clock;
    this.#lock = lock;
    this.#pglite = pglite;
  }

  static async open(directory: string, clock: Clock, lock: Server): Promise<Reopening> {
    return new Reopening(directory, clock, lock, await begin(join(directory, DATA)));
  }

  async connect(): Promise<MortalPGlite> {
    if (this.#pglite.death === undefined) await this.#shortenLog();
    const { death } = this.#pglite;
    if (death === undefined) return this.#pglite;
    this.#failure ??= ended(this.directory, death);
    if (this.#clock.monotonicMs() < this.#againMs) throw this.#failure;
    this.#againMs = this.#clock.monotonicMs() + AGAIN_MS;
    try {
      await this.#pglite.close();
      this.#pglite = await begin(join(this.directory, DATA));
    } catch (error) {
      this.#failure = cannotOpen(this.directory, error);
      throw this.#failure;
    }
    this.#failure = undefined;
    this.#againMs = 0;
    return this.#pglite;
  }

  /** What a failure of it means for others, they are told when they ask for something. */
  async #shortenLog(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#lookMs) return;
    this.#lookMs = nowMs + LOOK_MS;
    try {
      const { rows } = await this.#pglite.query<{ bytes: number }>(LOG_BYTES);
      if ((rows[0]?.bytes ?? 0) > MAX_LOG_BYTES) await this.#pglite.query('checkpoint');
    } catch {
      // no space, or PostgreSQL has ended itself
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pglite.close();
    await closed(this.#lock);
  }
}

/**
 * Nobody vacuums here, so the planner knows nothing of how many rows there are, and takes sorting a whole table for cheaper than an index: every question that is asked
 * often has an index.
 */
const PLANNER = ['-c', 'enable_seqscan=off', '-c', 'enable_bitmapscan=off'];

/** Named after the format of PostgreSQL 18, which no other major opens. */
const DATA = 'pg18';

/** What every database has. PGlite makes a new one where PG_VERSION is missing, whatever else is there. */
const PARTS = ['PG_VERSION', 'global/pg_control', 'base', 'pg_wal'];

async function begin(directory: string): Promise<MortalPGlite> {
  const entries = await readdir(directory).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error;
    return [];
  });
  if (entries.length === 0) await makeDataDirectory(directory);
  const missing = await partsMissing(directory);
  if (missing.length > 0) throw damaged(directory, `it has no ${missing.join(', ')}`);
  return await MortalPGlite.begin({
    fs: new DurableFs(directory),
    startParams: [...PGlite.defaultStartParams.filter((param) => param !== '-F'), ...SYNCED, ...LOG, '-c', 'shared_buffers=16MB', ...PLANNER],
    relaxedDurability: false,
    parsers: { [types.INT8]: Number },
  });
}

async function partsMissing(directory: string): Promise<readonly string[]> {
  const found = await Promise.all(PARTS.map(async (part) => ((await stat(join(directory, part)).catch(() => undefined))?.size ?? 0) > 0));
  return PARTS.filter((_, i) => found[i] !== true);
}

async function lockDirectory(path: string): Promise<Server> {
  for (let tries = 0; ; tries++) {
    const server = createServer((socket) => socket.destroy());
    const error = await listening(server, path);
    if (error === undefined) {
      server.unref();
      return server;
    }
    if (error.code !== 'EADDRINUSE') throw error;
    if (tries > 0 || (await answers(path))) {
      throw new QueueError({
        code: 'QUEUE_DATABASE_IN_USE',
        message: `the embedded database beside ${path} cannot be opened: another process has it open`,
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
