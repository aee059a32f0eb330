import { type Clock, type Logger, serializeError } from '@onevault/base';
import type { Runs } from '@onevault/run-queue';

const DAY_MS = 86_400_000;
/** So long a run is listed after its end. What it made is in the repository, what was asked for in the audit log: neither is forgotten with it. */
const RUN_DAYS = 90;
/** So long it can be seen step by step. */
const EVENT_DAYS = 14;
const EVERY_MS = 3_600_000;

/** Keeps the tables of runs and their events from growing for ever, until `signal` is aborted. A database that is away is tried again in an hour. */
export async function forgetOldRuns(
  runs: Pick<Runs, 'prune'>,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const nowMs = clock.now().getTime();
    try {
      await runs.prune({ endedBefore: new Date(nowMs - RUN_DAYS * DAY_MS), eventsBefore: new Date(nowMs - EVENT_DAYS * DAY_MS) });
    } catch (error) {
      logger.warn({ error: serializeError(error) }, 'old runs cannot be forgotten');
    }
    await clock.sleep(EVERY_MS, { signal }).catch(() => undefined);
  }
}
