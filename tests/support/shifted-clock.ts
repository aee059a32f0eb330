import type { ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

const PRELOAD = new URL('./shifted-clock.mjs', import.meta.url);

/** The clock on the wall of another machine: a process that is started with `env` goes by it. It is only ever set forward. */
export interface ShiftedClock {
  readonly env: Readonly<Record<string, string>>;
  /** The first whole minute that is more than half a minute away. */
  nextMinute(): Date;
  /** Sets it, when that is later than it is; the process is told by a signal and reads it before it does anything else. */
  set(process: ChildProcess, time: Date): Promise<void>;
}

export async function shiftedClock(file: string): Promise<ShiftedClock> {
  let aheadMs = 0;
  await writeFile(file, '0');
  const now = (): number => Date.now() + aheadMs;
  return {
    env: { SHIFTED_CLOCK: file, NODE_OPTIONS: `--import=${pathToFileURL(PRELOAD.pathname).href}` },
    nextMinute: () => new Date((Math.floor((now() + 30_000) / 60_000) + 1) * 60_000),
    async set(process, time) {
      const furtherMs = time.getTime() - now();
      if (furtherMs <= 0) return;
      aheadMs += furtherMs;
      await writeFile(file, String(aheadMs));
      process.kill('SIGUSR2');
    },
  };
}
