import { isAbort, type SerializedError, serializeError } from '@onevault/base';
import type { JobEvent } from '@onevault/orchestrator';
import { EXIT, type ExitCode, exitCodeOf, primaryError } from '../exit.ts';
import type { RemoteContext } from './remote-context.ts';
import { asRemoteError } from './remote-error.ts';
import { type RemoteRun, type RequestInput, startRun, watchToEnd } from './run-to-end.ts';

/** One run and how it went. */
export type RemoteOutcome = { readonly run: RemoteRun } | { readonly runId: string | undefined; readonly error: unknown };

type Begun = { readonly runId: string } | { readonly error: unknown };

/** Begins all, then tells of one after another, each from its beginning; an abort ends the telling. */
export async function outcomesOf(
  context: RemoteContext,
  requests: readonly RequestInput[],
  emit: (event: JobEvent) => void,
  tell: (outcome: RemoteOutcome, at: number) => void,
): Promise<RemoteOutcome[]> {
  const begun: Begun[] = [];
  for (const request of requests) begun.push(await begin(context, request));
  const outcomes: RemoteOutcome[] = [];
  for (const [at, one] of begun.entries()) {
    const outcome = 'error' in one ? { runId: undefined, error: one.error } : await endOf(context, one.runId, emit);
    outcomes.push(outcome);
    tell(outcome, at);
    if ('error' in outcome && isAbort(outcome.error) && context.signal.aborted) {
      const others = begun.slice(at + 1).flatMap((other) => ('runId' in other ? [other.runId] : []));
      if (others.length > 0) context.output.warn(`so do runs ${others.join(', ')}`);
      break;
    }
  }
  return outcomes;
}

async function begin(context: RemoteContext, request: RequestInput): Promise<Begun> {
  try {
    return { runId: await startRun(context, request) };
  } catch (error) {
    if (isAbort(error)) throw error;
    return { error: asRemoteError(error) };
  }
}

async function endOf(context: RemoteContext, runId: string, emit: (event: JobEvent) => void): Promise<RemoteOutcome> {
  try {
    return { run: await watchToEnd(context, runId, emit) };
  } catch (error) {
    return { runId, error: asRemoteError(error) };
  }
}

/** One run that fails is the error of the command; one of several makes the whole thing incomplete. */
export function concludeRemote(outcomes: readonly RemoteOutcome[]): { readonly exitCode: ExitCode; readonly error?: unknown } {
  const failed = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome.error] : []));
  const error = failed.find(isAbort) ?? (outcomes.length === 1 ? failed[0] : undefined);
  if (error !== undefined) return { exitCode: exitCodeOf(error), error };
  if (failed.length > 0 && failed.length === outcomes.length) {
    const codes = new Set(failed.map(exitCodeOf));
    const [only] = codes;
    return { exitCode: codes.size === 1 && only !== undefined ? only : EXIT.failed };
  }
  const incomplete = failed.length > 0 || outcomes.some((outcome) => 'run' in outcome && outcome.run.state !== 'succeeded');
  return { exitCode: incomplete ? EXIT.partial : EXIT.ok };
}

export function errorFacts(error: unknown): SerializedError {
  return serializeError(primaryError(error));
}
