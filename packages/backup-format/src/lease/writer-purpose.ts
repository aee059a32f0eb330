import type { RestorePointSpec } from '../repository-api.ts';

/** What a run that writes a restore point holds its lease for: people see which it is, and whoever knows that it is dead finds the lease. */
export function writerPurpose({ group, runId }: Pick<RestorePointSpec, 'group' | 'runId'>): string {
  return `restore point of ${group}, run ${runId}`;
}
