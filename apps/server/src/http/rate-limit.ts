import type { Clock } from '@onevault/base';
import { ServerError } from '../errors.ts';

const MAX_KEYS = 20_000;

/** A bucket for each key, refilled evenly; what is over a minute's worth is refused with the time to wait. Bounded: the key unused for longest goes. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #perMinute: number;
  readonly #buckets = new Map<string, { left: number; atMs: number }>();

  constructor(clock: Clock, perMinute: number) {
    this.#clock = clock;
    this.#perMinute = perMinute;
  }

  /** Throws SERVER_TOO_MANY_REQUESTS. */
  take(key: string): void {
    const now = this.#clock.monotonicMs();
    const perMs = this.#perMinute / 60_000;
    const bucket = this.#buckets.get(key) ?? { left: this.#perMinute, atMs: now };
    bucket.left = Math.min(this.#perMinute, bucket.left + (now - bucket.atMs) * perMs);
    bucket.atMs = now;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > MAX_KEYS) this.#buckets.delete(this.#buckets.keys().next().value ?? key);
    if (bucket.left < 1) throw tooMany(Math.ceil((1 - bucket.left) / perMs / 1000));
    bucket.left--;
  }
}

function tooMany(retryAfterS: number): ServerError {
  return new ServerError({
    code: 'SERVER_TOO_MANY_REQUESTS',
    message: 'too many requests',
    details: { retryAfterS },
    hint: `Ask again in ${retryAfterS} s`,
    retryable: true,
  });
}

/** A household or a server has a whole /64 of IPv6. */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head.split(':').filter((group) => group !== '');
  const missing = tail === undefined ? 0 : 8 - groups.length - tail.split(':').filter((group) => group !== '').length;
  return [...groups, ...Array<string>(Math.max(0, missing)).fill('0')].slice(0, 4).join(':');
}
