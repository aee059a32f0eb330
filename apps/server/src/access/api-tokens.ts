import type { Role } from '@onevault/api';
import { type Clock, Mutex } from '@onevault/base';
import { ServerError } from '../errors.ts';
import { hashSecret, sameText } from './hashed-secret.ts';
import { readTokenFile, type TokenRecord, writeTokenFile } from './token-file.ts';

export interface ApiToken {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** Undefined: all that the role may. */
  readonly operations: readonly string[] | undefined;
  readonly userId: number;
  readonly owner: string;
  readonly groupScope: number | undefined;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly lastUsedAt: Date | undefined;
  readonly ended: AbortSignal;
}

export type NewTokenFacts = Pick<ApiToken, 'name' | 'role' | 'operations' | 'userId' | 'owner' | 'groupScope' | 'expiresAt'>;

export interface ApiTokensDeps {
  readonly path: string;
  readonly clock: Clock;
  readonly randomBytes: (size: number) => Uint8Array;
}

const MAX_TOKENS = 10_000;
const MAX_OF_USER = 50;
/** Days may pass between two uses; when the last one was matters to the hour at most. */
const NOTE_USE_MS = 3_600_000;

interface Kept {
  record: TokenRecord;
  readonly end: AbortController;
}

/** Tokens for programs. Their hashes are in a file of the state directory, so that they outlive the database. */
export class ApiTokens {
  readonly #deps: ApiTokensDeps;
  readonly #kept = new Map<string, Kept>();
  readonly #writing = new Mutex();

  private constructor(deps: ApiTokensDeps, records: readonly TokenRecord[]) {
    this.#deps = deps;
    for (const record of records) this.#kept.set(record.id, { record, end: new AbortController() });
  }

  static async open(deps: ApiTokensDeps): Promise<ApiTokens> {
    return new ApiTokens(deps, await readTokenFile(deps.path));
  }

  list(): readonly ApiToken[] {
    return [...this.#kept.values()].map(toToken);
  }

  get(id: string): ApiToken | undefined {
    const kept = this.#kept.get(id);
    return kept && toToken(kept);
  }

  /** On stable storage when it resolves. The secret is nowhere but in the answer. */
  async create(facts: NewTokenFacts): Promise<{ readonly token: ApiToken; readonly secret: string }> {
    const { clock, randomBytes } = this.#deps;
    return this.#writing.run(async () => {
      this.#dropExpired();
      const ofUser = [...this.#kept.values()].filter(({ record }) => record.userId === facts.userId);
      if (this.#kept.size >= MAX_TOKENS || ofUser.length >= MAX_OF_USER) throw tooMany();
      if (ofUser.some(({ record }) => record.name === facts.name)) throw nameTaken(facts.name);
      const id = Buffer.from(randomBytes(9)).toString('hex');
      const secret = `onevault_${id}_${Buffer.from(randomBytes(32)).toString('base64url')}`;
      const record: TokenRecord = {
        id,
        name: facts.name,
        role: facts.role,
        ...(facts.operations && { operations: [...facts.operations] }),
        userId: facts.userId,
        owner: facts.owner,
        ...(facts.groupScope !== undefined && { groupScope: facts.groupScope }),
        hash: hashSecret(secret),
        createdAt: clock.now().toISOString(),
        expiresAt: facts.expiresAt.toISOString(),
      };
      const kept = { record, end: new AbortController() };
      await this.#write([...this.#records(), record]);
      this.#kept.set(id, kept);
      return { token: toToken(kept), secret };
    });
  }

  async remove(id: string): Promise<void> {
    await this.#writing.run(async () => {
      const kept = this.#kept.get(id);
      if (kept === undefined) return;
      await this.#write(this.#records().filter((record) => record.id !== id));
      this.#kept.delete(id);
      kept.end.abort();
    });
  }

  /** Undefined for what is no token, or one that is over. */
  find(secret: string): ApiToken | undefined {
    const [, id = ''] = /^onevault_([0-9a-f]{18})_[\w-]{43}$/.exec(secret) ?? [];
    const kept = this.#kept.get(id);
    if (kept === undefined || !sameText(kept.record.hash, hashSecret(secret)) || this.#isOver(kept.record)) return undefined;
    return toToken(kept);
  }

  /** Resolves when it is written, where that was due; a failure is no reason to refuse the call. */
  async noteUse(token: ApiToken): Promise<void> {
    const kept = this.#kept.get(token.id);
    const now = this.#deps.clock.now();
    if (kept === undefined || now.getTime() - Date.parse(kept.record.lastUsedAt ?? kept.record.createdAt) < (kept.record.lastUsedAt ? NOTE_USE_MS : 0)) return;
    kept.record = { ...kept.record, lastUsedAt: now.toISOString() };
    await this.#writing.run(() => this.#write(this.#records()));
  }

  /** Ends the event streams of tokens that are over. */
  sweep(): void {
    for (const kept of this.#kept.values()) if (this.#isOver(kept.record)) kept.end.abort();
  }

  #dropExpired(): void {
    for (const [id, { record }] of [...this.#kept]) if (this.#isOver(record)) this.#kept.delete(id);
  }

  #isOver(record: TokenRecord): boolean {
    return this.#deps.clock.now().getTime() >= Date.parse(record.expiresAt);
  }

  #records(): TokenRecord[] {
    return [...this.#kept.values()].map(({ record }) => record);
  }

  #write(records: readonly TokenRecord[]): Promise<void> {
    return writeTokenFile(this.#deps.path, records);
  }
}

function toToken({ record, end }: Kept): ApiToken {
  return {
    id: record.id,
    name: record.name,
    role: record.role,
    operations: record.operations,
    userId: record.userId,
    owner: record.owner,
    groupScope: record.groupScope,
    createdAt: new Date(record.createdAt),
    expiresAt: new Date(record.expiresAt),
    lastUsedAt: record.lastUsedAt === undefined ? undefined : new Date(record.lastUsedAt),
    ended: end.signal,
  };
}

function tooMany(): ServerError {
  return new ServerError({ code: 'SERVER_SETTINGS_CONFLICT', message: `a user has at most ${MAX_OF_USER} tokens`, hint: 'Delete one that is not needed' });
}

function nameTaken(name: string): ServerError {
  return new ServerError({ code: 'SERVER_SETTINGS_CONFLICT', message: `you have a token ${name} already`, hint: 'Choose another name, or delete that token' });
}
