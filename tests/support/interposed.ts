import type { OneApi } from '@onevault/one-client';

/** A cloud in which somebody else acts right before the `nth` call (from 1) of a method arrives: what changes between two calls changes here. */
export function interposed(real: OneApi, method: keyof OneApi, nth: number, act: () => Promise<unknown>): OneApi {
  let calls = 0;
  return new Proxy(real, {
    get(target, property: keyof OneApi) {
      const value = target[property];
      if (property !== method || typeof value !== 'function') return value;
      return async (...args: unknown[]): Promise<unknown> => {
        if (++calls === nth) await act();
        return Reflect.apply(value, target, args);
      };
    },
  });
}
