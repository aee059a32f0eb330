import { createHash } from 'node:crypto';
import type { Clock } from '@onevault/base';
import { ServerError } from '../errors.ts';

interface Kept {
  readonly bodyHash: string;
  readonly answer: Promise<unknown>;
  readonly atMs: number;
}

const KEEP_MS = 24 * 3_600_000;
const MAX_KEPT = 10_000;

/**
 * Answers of calls by their Idempotency-Key: who repeats a call gets the first one's answer, also while that is still under way. A call that failed may be made
 * again. In memory: what has to hold across a restart is the queue's, to which the key goes as well.
 */
export class IdempotentCalls {
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws SERVER_IDEMPOTENCY_CONFLICT when the key was used for something else. */
  async once(key: string, body: unknown, call: () => Promise<unknown>): Promise<{ readonly answer: unknown; readonly isReplay: boolean }> {
    const bodyHash = createHash('sha256').update(JSON.stringify(body)).digest('hex');
    const now = this.#clock.monotonicMs();
    this.#forgetOld(now);
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      if (kept.bodyHash !== bodyHash) throw conflict();
      return { answer: await kept.answer, isReplay: true };
    }
    const answer = call();
    this.#kept.set(key, { bodyHash, answer, atMs: now });
    try {
      return { answer: await answer, isReplay: false };
    } catch (error) {
      this.#kept.delete(key);
      throw error;
    }
  }

  #forgetOld(now: number): void {
    for (const [key, { atMs }] of this.#kept) {
      if (now - atMs <= KEEP_MS && this.#kept.size < MAX_KEPT) return;
      this.#kept.delete(key);
    }
  }
}

/** Visible ASCII, so that it is the same wherever it is written down. */
export function readIdempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^[\x21-\x7e]{1,128}$/.test(header)) return header;
  throw new ServerError({ code: 'SERVER_REQUEST_INVALID', message: 'an Idempotency-Key has 1 to 128 visible ASCII characters', hint: 'Use a UUID' });
}

function conflict(): ServerError {
  return new ServerError({
    code: 'SERVER_IDEMPOTENCY_CONFLICT',
    message: 'this Idempotency-Key was used for another request',
    hint: 'Use a new key for each thing that is to be done once',
  });
}
