import { parseId } from '@onevault/composition';
import { diskId, type VmId } from '@onevault/one-client';
import type { CaptureChoice, PlanRequest } from '@onevault/orchestrator';
import { type Command, Option } from 'commander';
import { usageError } from '../errors.ts';

/** What decides how disks are captured; the same for `plan` and `backup`, so that a plan shows what the backup will do. */
export interface PlanFlags {
  readonly all?: boolean;
  readonly capture: CaptureChoice;
  readonly allowLongFreeze?: boolean;
  readonly excludeDisk?: readonly string[];
  readonly parallelDisks: string;
}

const CAPTURE = 'auto, or one method for all disks: snapshot (also where it stays behind), live-copy, offline (only VMs that do not run)';

export function addPlanFlags(command: Command): Command {
  return command
    .option('--all', 'every VM this user may see')
    .addOption(new Option('--capture <method>', CAPTURE).choices(['auto', 'snapshot', 'live-copy', 'offline']).default('auto'))
    .option('--allow-long-freeze', 'capture also what makes the guest stand still while a whole disk is copied')
    .option('--exclude-disk <id>', 'leave this DISK_ID out (may be repeated)', (id: string, ids: string[] | undefined) => [...(ids ?? []), id])
    .option('--parallel-disks <n>', 'disks of a VM read at the same time', '2');
}

export function parallelDisks(flags: PlanFlags): number {
  const disks = Number(flags.parallelDisks);
  if (!/^\d+$/.test(flags.parallelDisks) || disks < 1 || disks > 16) throw usageError(`${flags.parallelDisks} disks at the same time`, 'a number from 1 to 16');
  return disks;
}

export function planRequest(flags: PlanFlags, proxyVm: VmId | undefined): PlanRequest {
  return {
    capture: flags.capture,
    allowLongFreeze: flags.allowLongFreeze === true,
    excludeDisks: (flags.excludeDisk ?? []).map((id) => diskId(parseId(id, 'a disk'))),
    parallelDisks: parallelDisks(flags),
    ...(proxyVm !== undefined && { proxyVm }),
  };
}
