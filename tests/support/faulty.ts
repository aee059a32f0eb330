import { type OneApi, OneError } from '@onevault/one-client';
import { isChanging } from './mortal.ts';

/** error: OpenNebula refuses. timeout-done: it does what was asked, and nobody hears of it. timeout-not-done: it does nothing, and says nothing. */
export const FAULTS = ['error', 'timeout-done', 'timeout-not-done'] as const;
export type Fault = (typeof FAULTS)[number];

/** A cloud whose `failAt`-th call (from 0) goes wrong, once; without `failAt` it only counts. */
export class Faulty {
  readonly calls: { readonly name: string; readonly changing: boolean }[] = [];
  readonly #failAt: number | undefined;
  readonly #fault: Fault;

  constructor(fault: Fault, failAt?: number) {
    this.#fault = fault;
    this.#failAt = failAt;
  }

  cloud(real: OneApi): OneApi {
    return new Proxy(real, {
      get: (target, property: keyof OneApi) => {
        const value = target[property];
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          const at = this.calls.push({ name: property, changing: isChanging(property) }) - 1;
          const call = (): unknown => Reflect.apply(value, target, args);
          if (at !== this.#failAt) return call();
          return LISTS.has(property) ? failingList(this.#failure(property)) : this.#fail(property, call as () => Promise<unknown>);
        };
      },
    });
  }

  async #fail(method: string, call: () => Promise<unknown>): Promise<never> {
    if (this.#fault === 'timeout-done') await call();
    throw this.#failure(method);
  }

  #failure(method: string): OneError {
    if (this.#fault === 'error') return new OneError('ONE_ACTION', `${method}: refused on purpose`, { details: { method, oneCode: 2048 } });
    return new OneError('ONE_TIMEOUT', `${method}: no answer on purpose`, { details: { method, executed: 'unknown' } });
  }
}

const LISTS: ReadonlySet<keyof OneApi> = new Set<keyof OneApi>(['vms', 'images', 'templates']);

// biome-ignore lint/correctness/useYield: a listing that fails at once
async function* failingList(error: OneError): AsyncGenerator<never> {
  throw error;
}
