import { findLeftovers, type JobDeps, type Leftover } from '@onevault/orchestrator';
import type { CommandContext } from '../command-context.ts';

/** Says by name what runs that died left in the cloud. Never stops the run that is about to begin: its data is what matters. */
export async function warnOfLeftovers({ output, logger, signal }: CommandContext, deps: JobDeps): Promise<readonly Leftover[]> {
  const leftovers = await findLeftovers(deps.cloud, deps.journals, { signal });
  if (leftovers.length === 0) return leftovers;
  output.warn(`earlier runs that died left this in OpenNebula; it is safe to remove by hand:`);
  for (const { label, runId } of leftovers) output.warn(`  ${label}, of run ${runId}`);
  logger.warn({ leftovers: leftovers.map(({ runId, object, id }) => ({ runId, object, id })) }, 'leftovers of dead runs');
  return leftovers;
}
