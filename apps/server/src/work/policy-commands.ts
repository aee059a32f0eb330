import type { CallOptions, Clock } from '@onevault/base';
import { commandProbes } from '@onevault/composition';
import { type Policy, parseDuration } from '@onevault/policies';
import type { RunRecord } from '@onevault/run-queue';
import { ServerError } from '../errors.ts';
import type { Redactor } from '../logs/redactor.ts';
import type { RunLedger } from './run-ledger.ts';

export interface CommandDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly ledger: RunLedger;
  /** Of what they say. */
  readonly redactor: Redactor;
  readonly run: Pick<RunRecord, 'id' | 'vmId' | 'vmName'>;
}

/** As ONEVAULT_OUTCOME tells it. */
type Outcome = 'succeeded' | 'failed' | 'cancelled';

type Command = NonNullable<Policy['commands']['before']>;

/**
 * The commands of a policy around the work of one of its runs. No shell; a process group of its own, ended when its time is over; the last 2 000 characters of what it
 * says are in the run's events. It sees our environment without our secrets, and ONEVAULT_* facts of the run. Once `before` was begun, `after` is run however the
 * work ended, also when the run is stopped.
 */
export async function betweenCommands<T>(deps: CommandDeps, policy: Policy | undefined, options: CallOptions, work: () => Promise<T>): Promise<T> {
  const { before, after } = policy?.commands ?? {};
  if (policy === undefined || (before === undefined && after === undefined)) return work();
  let outcome: Outcome = 'failed';
  try {
    if (before !== undefined) await runCommand(deps, policy, 'before', before, {}, options);
    const result = await work();
    outcome = 'succeeded';
    return result;
  } catch (error) {
    if (options.signal?.aborted === true) outcome = 'cancelled';
    throw error;
  } finally {
    if (after !== undefined) await runAfter(deps, policy, after, outcome);
  }
}

/** What is done is done: a command behind it that fails is told, and takes the success away only where the policy says so. */
async function runAfter(deps: CommandDeps, policy: Policy, after: Command, outcome: Outcome): Promise<void> {
  try {
    await runCommand(deps, policy, 'after', after, { ONEVAULT_OUTCOME: outcome }, {});
  } catch (error) {
    if (outcome === 'succeeded') throw error;
    deps.ledger.warn('COMMAND_FAILED', error instanceof Error ? error.message : String(error)); // the failure of the work is the one to tell
  }
}

async function runCommand(
  { env, clock, ledger, redactor, run }: CommandDeps,
  policy: Policy,
  phase: 'before' | 'after',
  { command, timeout, onFailure }: Command,
  facts: Readonly<Record<string, string>>,
  options: CallOptions,
): Promise<void> {
  const startedMs = clock.monotonicMs();
  const known = { ONEVAULT_RUN_ID: run.id, ONEVAULT_POLICY: policy.name, ONEVAULT_PHASE: phase, ...facts };
  const vm = { ...(run.vmId !== undefined && { ONEVAULT_VM_ID: String(run.vmId) }), ...(run.vmName !== undefined && { ONEVAULT_VM_NAME: run.vmName }) };
  ledger.tell('command.started', { phase, command });
  const failure = await commandProbes({ env, clock })
    .run({ argv: command, env: { ...known, ...vm }, timeoutMs: parseDuration(timeout) }, options)
    .then(
      ({ exitCode, output }) => {
        ledger.tell('command.finished', {
          phase,
          exitCode: exitCode ?? null,
          output: redactor.text(output),
          durationMs: Math.round(clock.monotonicMs() - startedMs),
        });
        if (exitCode === 0) return undefined;
        return exitCode === undefined ? `did not end within ${timeout}` : `ended with ${exitCode}`;
      },
      (error: unknown) => {
        options.signal?.throwIfAborted();
        ledger.tell('command.finished', { phase, exitCode: null, output: String(error), durationMs: Math.round(clock.monotonicMs() - startedMs) });
        return `could not be run: ${error instanceof Error ? error.message : String(error)}`;
      },
    );
  if (failure === undefined) return;
  const message = `the command ${phase} the runs of policy ${policy.name}, ${command[0]}, ${failure}`;
  if (onFailure === 'continue') return ledger.warn('COMMAND_FAILED', message);
  throw new ServerError({
    code: 'SERVER_COMMAND_FAILED',
    message,
    details: { phase, command },
    hint: 'its output is in the events of the run; onFailure: continue goes on without it',
  });
}
