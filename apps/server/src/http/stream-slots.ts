import { ServerError } from '../errors.ts';

/** How many event streams there may be: each holds a connection and a reader of events for as long as it likes. */
export class StreamSlots {
  readonly #perUser: number;
  readonly #total: number;
  readonly #open = new Map<number, number>();
  #count = 0;

  constructor(limits: { readonly perUser: number; readonly total: number }) {
    this.#perUser = limits.perUser;
    this.#total = limits.total;
  }

  /** Throws SERVER_TOO_MANY_REQUESTS, or SERVER_BUSY when it is not this user's fault. */
  take(userId: number): Disposable {
    const own = this.#open.get(userId) ?? 0;
    if (own >= this.#perUser) throw refused('SERVER_TOO_MANY_REQUESTS', `you have ${own} event streams open already`);
    if (this.#count >= this.#total) throw refused('SERVER_BUSY', 'the server has no room for another event stream');
    this.#open.set(userId, own + 1);
    this.#count++;
    return {
      [Symbol.dispose]: () => {
        this.#count--;
        const left = (this.#open.get(userId) ?? 1) - 1;
        if (left === 0) this.#open.delete(userId);
        else this.#open.set(userId, left);
      },
    };
  }
}

function refused(code: 'SERVER_TOO_MANY_REQUESTS' | 'SERVER_BUSY', message: string): ServerError {
  return new ServerError({ code, message, details: { retryAfterS: 30 }, hint: 'Close one that is not needed; one stream tells of all runs', retryable: true });
}
