import type { Policy } from '@onevault/policies';
import { parseDuration } from '@onevault/policies';
import type { RunFilter, RunRecord } from '@onevault/run-queue';
import { requestOf } from '../runs/run-view.ts';

export interface RunHistory {
  list(filter: RunFilter): Promise<readonly RunRecord[]>;
}

/** Why a scheduled run is not begun: so many of this VM and policy have failed in a row. */
export interface OpenBreaker {
  readonly failures: number;
  readonly untilMs: number;
}

/** When a run ended, and whether well; those that were skipped or cancelled say nothing. Newest first. */
export interface EndedRun {
  readonly endedMs: number;
  readonly failed: boolean;
}

/** After the pause one run is let through: it closes the breaker, or opens it for another pause. */
export function breakerOf({ failures, pause }: Policy['circuitBreaker'], ended: readonly EndedRun[], nowMs: number): OpenBreaker | undefined {
  const firstGood = ended.findIndex(({ failed }) => !failed);
  const inARow = firstGood === -1 ? ended : ended.slice(0, firstGood);
  const [last] = inARow;
  if (last === undefined || inARow.length < failures) return undefined;
  const untilMs = last.endedMs + parseDuration(pause);
  return untilMs > nowMs ? { failures: inARow.length, untilMs } : undefined;
}

const GOOD = ['succeeded', 'degraded'] as const;
/** Of the VM's newest good runs, those that somebody asked for are looked for among so many. */
const BY_HAND_AMONG = 50;

/** Of the VM and policy of a scheduled run; whoever asks for a run by hand is not kept from it, and closes the breaker with one that goes well. */
export async function openBreaker(history: RunHistory, run: RunRecord, policy: Policy | undefined, nowMs: number): Promise<OpenBreaker | undefined> {
  if (policy === undefined || run.schedule === undefined || run.vmId === undefined) return undefined;
  const { circuitBreaker, name } = policy;
  const of = { vmId: run.vmId, policy: name };
  const anyOf = { vmId: run.vmId, kind: run.kind };
  const failed = await history.list({ ...of, state: 'failed', limit: circuitBreaker.failures });
  if (failed.length < circuitBreaker.failures) return undefined;
  const good = await Promise.all(GOOD.flatMap((state) => [history.list({ ...of, state, limit: 1 }), goodByHand(history, run, { ...anyOf, state })]));
  const ended = [...failed, ...good.flat()].flatMap(({ endedAt, state }) =>
    endedAt === undefined ? [] : [{ endedMs: endedAt.getTime(), failed: state === 'failed' }],
  );
  return breakerOf(
    circuitBreaker,
    ended.sort((a, b) => b.endedMs - a.endedMs),
    nowMs,
  );
}

/** The same work, to the same repository: what kept the policy from it is over. */
async function goodByHand(history: RunHistory, run: RunRecord, of: Omit<RunFilter, 'limit'>): Promise<readonly RunRecord[]> {
  const repository = requestOf(run)['repository'];
  const newest = await history.list({ ...of, limit: BY_HAND_AMONG });
  return newest.filter((one) => one.schedule === undefined && requestOf(one)['repository'] === repository);
}
