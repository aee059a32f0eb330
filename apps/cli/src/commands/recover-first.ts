import { isAbort, serializeError } from '@onevault/base';
import { findLeftovers, type Leftover, type RecoverDeps, type RecoveredRun, recoverRuns } from '@onevault/orchestrator';
import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { cleanedLines } from '../render/recover-text.ts';

export interface RecoverFlag {
  /** False with --no-recover. */
  readonly recover?: boolean;
}

export function addRecoverFlag(command: Command): Command {
  return command.option('--no-recover', 'only name what runs that died left in OpenNebula; by default it is taken away before this run begins');
}

/** What runs that died had left, as the documents of runs say it. */
export interface Earlier {
  /** Still there. */
  readonly leftovers: readonly Leftover[];
  readonly recovered: readonly RecoveredRun[];
}

/** Takes away what runs that died left in the cloud. Never stops the run that is about to begin: its data is what matters. */
export async function recoverFirst(context: CommandContext, deps: RecoverDeps, flag: RecoverFlag): Promise<Earlier> {
  try {
    return flag.recover === false ? await nameOnly(context, deps) : await recovered(context, deps);
  } catch (error) {
    if (isAbort(error)) throw error;
    const { message } = serializeError(error);
    context.output.warn(`what earlier runs left could not be looked at: ${message}`);
    context.logger.warn({ error: serializeError(error) }, 'not recovered');
    return { leftovers: [], recovered: [] };
  }
}

async function recovered({ output, logger, signal }: CommandContext, deps: RecoverDeps): Promise<Earlier> {
  const { runs } = await recoverRuns(deps, { signal });
  for (const run of runs) {
    for (const line of cleanedLines(run)) output.note(line);
    if (run.outcome === 'incomplete' && run.left.length > 0)
      output.warn(`run ${run.runId} died and could not be cleaned up after; onevault recover tries again:`);
    for (const { label, error } of run.left) output.warn(`  ${label}${error === undefined ? '' : `: ${error.message}`}`);
  }
  if (runs.length > 0) logger.warn({ runs }, 'dead runs recovered');
  const leftovers = runs.flatMap(({ runId, left }) => left.map(({ object, id, label }) => ({ runId, object, id, label })));
  return { leftovers, recovered: runs };
}

async function nameOnly({ output, logger, signal }: CommandContext, deps: RecoverDeps): Promise<Earlier> {
  const leftovers = await findLeftovers(deps.cloud, deps.journals, { signal });
  if (leftovers.length === 0) return { leftovers, recovered: [] };
  output.warn(`earlier runs that died left this in OpenNebula; onevault recover takes it away:`);
  for (const { label, runId } of leftovers) output.warn(`  ${label}, of run ${runId}`);
  logger.warn({ leftovers: leftovers.map(({ runId, object, id }) => ({ runId, object, id })) }, 'leftovers of dead runs');
  return { leftovers, recovered: [] };
}
