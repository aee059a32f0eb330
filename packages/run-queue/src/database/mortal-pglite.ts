import { PGlite, type PGliteOptions } from '@electric-sql/pglite';

/** What PostgreSQL throws in this process to end a statement that failed, and nothing else (POSTGRES_MAIN_LONGJMP in pglitec.c). */
const STATEMENT_FAILED = 100;
const LAST_WORDS = /\b(?:PANIC|FATAL): {2}([0-9A-Z]{5}): (.*)/;

/** With the SQLSTATE; and not how far recovery is, for which a timer would keep one that did not start, with all its memory. */
const TELLING = ['-c', 'log_error_verbosity=verbose', '-c', 'log_startup_progress_interval=0'];

/** PostgreSQL in this process is no more. Whether it did what it was asked for last is not known. */
export class Death extends Error {
  override readonly name = 'Death';
  /** SQLSTATE of what it said last. */
  readonly code: string | undefined;

  constructor(said: string | undefined, cause: unknown) {
    const [, code, why] = LAST_WORDS.exec(said ?? '') ?? [];
    super(why ?? (cause instanceof Error ? cause.message : String(cause)), { cause });
    this.code = code;
  }
}

/**
 * PGlite goes on calling PostgreSQL after it has ended itself (a PANIC: no space for its log), which turns for ever, and takes the answer that did not come for an
 * empty one. Here whatever is asked of a dead one, and what it died of, throws its `death`.
 */
export class MortalPGlite extends PGlite {
  #death: Death | undefined;
  #isWatched = false;
  readonly #log: { lastWords?: string };

  private constructor(options: PGliteOptions, log: { lastWords?: string }) {
    super({
      ...options,
      onStderr(line) {
        if (LAST_WORDS.test(line)) log.lastWords = line;
        return false;
      },
    });
    this.#log = log;
  }

  /** Throws a Death when PostgreSQL does not start. */
  static async begin(options: PGliteOptions & { readonly startParams: string[] }): Promise<MortalPGlite> {
    const log: { lastWords?: string } = {};
    const pglite = new MortalPGlite({ ...options, startParams: [...options.startParams, ...TELLING] }, log);
    try {
      await pglite.waitReady;
      return pglite;
    } catch (error) {
      await pglite.fs?.closeFs().catch(() => undefined);
      throw log.lastWords === undefined ? error : new Death(log.lastWords, error);
    }
  }

  get death(): Death | undefined {
    return this.#death;
  }

  override execProtocolRawSync(message: Uint8Array): Uint8Array {
    this.#watch();
    if (this.#death !== undefined) throw this.#death;
    const answer = super.execProtocolRawSync(message);
    // `answer` may be what it said when it died.
    if (this.#isDead()) throw this.#death;
    return answer;
  }

  /** In order, or as a process that is gone lets go of its files. */
  override async close(): Promise<void> {
    if (this.#death === undefined) await super.close();
    else await this.fs?.closeFs();
  }

  #isDead(): boolean {
    return this.#death !== undefined;
  }

  /** Between PGlite's loop and PostgreSQL. */
  #watch(): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    const postgres = this.Module as unknown as { _PostgresMainLoopOnce(): void; stackRestore(pointer: number): void };
    const { _PostgresMainLoopOnce: once, stackRestore } = postgres;
    postgres._PostgresMainLoopOnce = () => {
      try {
        once();
      } catch (error) {
        if ((error as { readonly status?: unknown } | undefined)?.status !== STATEMENT_FAILED) this.#death ??= new Death(this.#log.lastWords, error);
        throw error;
      }
    };
    // What PGlite calls next, where what is thrown ends the loop.
    postgres.stackRestore = (pointer) => {
      if (this.#death !== undefined) throw this.#death;
      stackRestore(pointer);
    };
  }
}
