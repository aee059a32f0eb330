import type { Clock } from '@onevault/base';

export interface Attempt {
  readonly user: string;
  readonly address: string;
}

interface Tally {
  failures: number;
  readonly sinceMs: number;
  /** Nothing is tried before. */
  notBeforeMs: number;
}

/** Mistyping happens: the first failures cost nothing. Then 1 s, 2 s, 4 s … up to a quarter of an hour. */
const FREE_FAILURES = 3;
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 15 * 60_000;
/** Failures are forgotten when it was quiet for so long. */
const FORGET_MS = 3_600_000;
/** An address may guess at so many users, in an hour, before it has to wait as well. */
const FREE_FAILURES_OF_ADDRESS = 30;
/** A user may be guessed at so often, in an hour and from everywhere together, before whoever has not signed in from their address before has to wait as well. */
const FREE_FAILURES_OF_USER = 100;
/** Short: else whoever has many addresses could keep a user out. */
const LONGEST_DELAY_OF_USER_MS = 10_000;
const MAX_ENTRIES = 20_000;

/**
 * Slows down guessing. What is counted is user and address together: whoever guesses at alice locks out himself, not alice at her own desk. An address that guesses
 * at many users is slowed as a whole, but for users who have signed in from there before: they may share it with the guesser. A user who is guessed at from many addresses
 * is slowed a little for addresses from which they have not signed in before: 360 guesses an hour, whoever has how many.
 */
export class SignInLimits {
  readonly #clock: Clock;
  readonly #pairs = new Map<string, Tally>();
  readonly #addresses = new Map<string, Tally>();
  readonly #users = new Map<string, Tally>();
  readonly #proven = new Map<string, true>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long this attempt has to wait, ms; 0: it may be made. */
  waitMs(attempt: Attempt): number {
    const pair = pairOf(attempt);
    const waits = [this.#rest(this.#pairs.get(pair))];
    if (!this.#proven.has(pair)) waits.push(this.#rest(this.#addresses.get(attempt.address)), this.#rest(this.#users.get(attempt.user.toLowerCase())));
    return Math.max(...waits);
  }

  /** True when this is the one after which the next has to wait. */
  failed(attempt: Attempt): boolean {
    const isLocked = this.#count(this.#pairs, pairOf(attempt), FREE_FAILURES);
    this.#count(this.#addresses, attempt.address, FREE_FAILURES_OF_ADDRESS);
    this.#count(this.#users, attempt.user.toLowerCase(), FREE_FAILURES_OF_USER, LONGEST_DELAY_OF_USER_MS);
    return isLocked;
  }

  succeeded(attempt: Attempt): void {
    const pair = pairOf(attempt);
    this.#pairs.delete(pair);
    remember(this.#proven, pair, true);
  }

  #rest(tally: Tally | undefined): number {
    return Math.max(0, (tally?.notBeforeMs ?? 0) - this.#clock.monotonicMs());
  }

  #count(tallies: Map<string, Tally>, key: string, free: number, longestMs = LONGEST_DELAY_MS): boolean {
    const now = this.#clock.monotonicMs();
    const before = tallies.get(key);
    const tally =
      before === undefined || now - Math.max(before.sinceMs, before.notBeforeMs) > FORGET_MS ? { failures: 0, sinceMs: now, notBeforeMs: 0 } : before;
    tally.failures++;
    const over = tally.failures - free;
    if (over > 0) tally.notBeforeMs = now + Math.min(FIRST_DELAY_MS * 2 ** Math.min(over - 1, 20), longestMs);
    remember(tallies, key, tally);
    return over > 0;
  }
}

/** The least recently written goes when there are too many: an attacker with that many addresses gains a few free guesses, and no memory. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > MAX_ENTRIES) map.delete(map.keys().next().value ?? key);
}

const pairOf = ({ user, address }: Attempt): string => `${address} ${user.toLowerCase()}`;
