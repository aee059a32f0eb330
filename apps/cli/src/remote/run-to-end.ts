import { randomUUID } from 'node:crypto';
import { type Answer, type CallInput, isApiError, type StreamEvent } from '@onevault/api';
import type { JobEvent } from '@onevault/orchestrator';
import { CliError } from '../errors.ts';
import { Cancelled } from '../signals.ts';
import type { RemoteContext } from './remote-context.ts';
import { failureError } from './remote-error.ts';

export type RemoteRun = Answer<'getRun'>;
/** What may be left out of a request is left to the server. */
export type RequestInput = CallInput<'startRun'>['body'];

const ENDED: ReadonlySet<RemoteRun['state']> = new Set(['succeeded', 'degraded', 'failed', 'cancelled', 'skipped']);

/** Between two connections that broke. */
const AGAIN_MS = 2000;
/** So long a server may be away in one stretch: it restarts, or its database does. */
const AWAY_MS = 5 * 60_000;

/** Begins a run. A connection that breaks in the middle does not begin it twice: the same key is sent again. */
export async function startRun({ client, clock, signal }: RemoteContext, body: RequestInput): Promise<string> {
  const idempotencyKey = randomUUID();
  for (let attempt = 1; ; attempt++) {
    try {
      return (await client.call('startRun', { body }, { signal, idempotencyKey })).id;
    } catch (error) {
      if (attempt >= 3 || !isApiError(error, 'API_UNREACHABLE', 'SERVER_BUSY', 'SERVER_TOO_MANY_REQUESTS')) throw error;
      await clock.sleep(AGAIN_MS, { signal });
    }
  }
}

/** Tells what happens in a run, from its beginning, and answers the run when it has ended, however often the connection breaks. An abort leaves the run to the server. */
async function watchRun(context: RemoteContext, runId: string, emit: (event: JobEvent) => void): Promise<RemoteRun> {
  const { client, clock, signal } = context;
  let lastEventId: string | undefined;
  let heardMs = clock.monotonicMs();
  for (;;) {
    const beforeId = lastEventId;
    try {
      const resume = lastEventId === undefined ? {} : { lastEventId };
      for await (const event of client.events('watchRun', { params: { runId } }, { signal, ...resume })) {
        lastEventId = event.id;
        heardMs = clock.monotonicMs();
        emit(jobEvent(event));
      }
      const run = await client.call('getRun', { params: { runId } }, { signal });
      heardMs = clock.monotonicMs();
      if (ENDED.has(run.state)) return run;
    } catch (error) {
      if (!isApiError(error) || !error.retryable || clock.monotonicMs() - heardMs > AWAY_MS) throw error;
    }
    // A connection that told something may be had again at once.
    if (lastEventId === beforeId) await clock.sleep(AGAIN_MS, { signal });
  }
}

/** The server's event with the fields of the workflow's own, as --jsonl prints it. */
function jobEvent({ time, runId, type, data }: StreamEvent): JobEvent {
  return { time, ...(runId !== undefined && { runId }), ...data, type } as unknown as JobEvent;
}

/** Begins a run and watches it to its end. Throws what it failed with. */
export async function runToEnd(context: RemoteContext, request: RequestInput, emit: (event: JobEvent) => void): Promise<RemoteRun> {
  return watchToEnd(context, await startRun(context, request), emit);
}

/** Throws what the run failed with; when who watches goes away, says that it goes on. */
export async function watchToEnd(context: RemoteContext, runId: string, emit: (event: JobEvent) => void): Promise<RemoteRun> {
  context.output.note(`run ${runId} at ${context.server.url.host}`);
  const run = await watchRun(context, runId, emit).catch((error: unknown) => {
    throw context.signal.aborted ? goesOn(runId) : error;
  });
  if (run.state === 'failed') throw failureError(run.failure ?? { message: `run ${runId} failed` }, runId);
  if (run.state === 'skipped') throw skipped(run);
  if (run.state === 'cancelled') throw new Cancelled(`run ${runId} was cancelled at the server`);
  return run;
}

/** Said in every mode: a program that is stopped must know it, too. */
function goesOn(runId: string): Cancelled {
  return new Cancelled(`run ${runId} goes on at the server; onevault run cancel ${runId} stops it, onevault run watch ${runId} looks on`);
}

function skipped({ id, waitsFor }: RemoteRun): CliError {
  const why = waitsFor === undefined ? 'nobody began it in time' : `${waitsFor.text} (${waitsFor.code})`;
  return new CliError({ code: 'CLI_RUN_SKIPPED', message: `run ${id} was left out: ${why}`, hint: 'ask for it again, or look at the window of its policy' });
}

/** The report of the workflow, which a run that succeeded has. */
export function reportOf<Report>(run: RemoteRun): Report {
  return run.report as unknown as Report;
}
