import type { Results } from '@electric-sql/pglite';
import { Semaphore } from '@onevault/base';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely';
import type { Embedded } from './embedded.ts';
import { ended, surroundings } from './embedded-errors.ts';
import { Death, type MortalPGlite } from './mortal-pglite.ts';

/**
 * Kysely over PGlite, which has one connection: whoever wants it waits for whoever has it. Kysely's own dialect lends it to several at once, so that a query of
 * one is part of another one's transaction and goes when that is rolled back, and two transactions at once never end.
 */
export class EmbeddedDialect implements Dialect {
  readonly #embedded: Embedded;

  constructor(embedded: Embedded) {
    this.#embedded = embedded;
  }

  createAdapter(): PostgresAdapter {
    return new PostgresAdapter();
  }

  createDriver(): Driver {
    return new EmbeddedDriver(this.#embedded);
  }

  createIntrospector(db: Kysely<unknown>): PostgresIntrospector {
    return new PostgresIntrospector(db);
  }

  createQueryCompiler(): PostgresQueryCompiler {
    return new PostgresQueryCompiler();
  }
}

class EmbeddedDriver implements Driver {
  readonly #embedded: Embedded;
  readonly #turns = new Semaphore(1);

  constructor(embedded: Embedded) {
    this.#embedded = embedded;
  }

  async init(): Promise<void> {
    // Whoever opened it has waited for it.
  }

  async acquireConnection(): Promise<EmbeddedConnection> {
    const turn = await this.#turns.take();
    try {
      return new EmbeddedConnection(this.#embedded.directory, await this.#embedded.connect(), turn);
    } catch (error) {
      turn[Symbol.dispose]();
      throw error;
    }
  }

  async releaseConnection(connection: EmbeddedConnection): Promise<void> {
    connection[Symbol.dispose]();
  }

  async beginTransaction(connection: EmbeddedConnection): Promise<void> {
    await connection.query('begin');
  }

  async commitTransaction(connection: EmbeddedConnection): Promise<void> {
    await connection.query('commit');
  }

  async rollbackTransaction(connection: EmbeddedConnection): Promise<void> {
    await connection.rollback();
  }

  async destroy(): Promise<void> {
    // Whoever opened it closes it.
  }
}

/** PostgreSQL, to one caller and for one use. */
class EmbeddedConnection implements DatabaseConnection, Disposable {
  readonly #directory: string;
  readonly #pglite: MortalPGlite;
  readonly #turn: Disposable;

  constructor(directory: string, pglite: MortalPGlite, turn: Disposable) {
    this.#directory = directory;
    this.#pglite = pglite;
    this.#turn = turn;
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, affectedRows } = await this.query<R>(sql, parameters);
    return { rows, ...(affectedRows !== undefined && { numAffectedRows: BigInt(affectedRows) }) };
  }

  streamQuery(): never {
    throw new TypeError('the embedded database has no cursors: ask page by page');
  }

  async query<R>(text: string, parameters: readonly unknown[] = []): Promise<Results<R>> {
    try {
      return await this.#pglite.query<R>(text, [...parameters]);
    } catch (error) {
      throw surroundings(this.#directory, error) ?? (error instanceof Death ? ended(this.#directory, error) : error);
    }
  }

  /** What the dead had not finished is nothing. */
  async rollback(): Promise<void> {
    if (this.#pglite.death === undefined) await this.query('rollback');
  }

  [Symbol.dispose](): void {
    this.#turn[Symbol.dispose]();
  }
}
