import type { CaptureChoice } from '@onevault/orchestrator';
import { type Command, Option } from 'commander';

/** What decides how disks are captured; the same for `plan` and `backup`, so that a plan shows what the backup will do. */
export interface PlanFlags {
  readonly all?: boolean;
  readonly capture: CaptureChoice;
  readonly excludeDisk?: readonly string[];
}

export function addPlanFlags(command: Command): Command {
  return command
    .option('--all', 'every VM this user may see')
    .addOption(new Option('--capture <method>', 'snapshot: also where OpenNebula could not remove it again').choices(['auto', 'snapshot']).default('auto'))
    .option('--exclude-disk <id>', 'leave this DISK_ID out (may be repeated)', (id: string, ids: string[] | undefined) => [...(ids ?? []), id]);
}
