/** The clock on the wall of this whole process, the embedded database and the simulated cloud among it: set as an administrator (or a wrong NTP server) would set it. */
export interface WallClock extends Disposable {
  /** May lie before what the clock shows. */
  set(time: string | number): void;
  now(): number;
}

/** Until it is disposed `Date` goes by it; `performance.now()` and timers do not care, as they do not in a machine whose clock is set. */
export function takeWallClock(time: string): WallClock {
  const Machine = globalThis.Date;
  let aheadMs = Date.parse(time) - Machine.now();
  const now = (): number => Machine.now() + aheadMs;
  globalThis.Date = class extends Machine {
    constructor(...args: readonly unknown[]) {
      if (args.length === 0) super(now());
      else super(...(args as [number]));
    }
    static override now(): number {
      return now();
    }
  } as DateConstructor;
  return {
    now,
    set(to) {
      aheadMs = (typeof to === 'number' ? to : Machine.parse(to)) - Machine.now();
    },
    [Symbol.dispose]() {
      globalThis.Date = Machine;
    },
  };
}
