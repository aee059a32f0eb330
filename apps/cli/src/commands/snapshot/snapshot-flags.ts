import { parseId } from '@onevault/composition';
import { type DiskId, diskId } from '@onevault/one-client';
import { type CreateLimits, DEFAULT_MAX_CHAIN } from '@onevault/orchestrator';
import type { Command } from 'commander';
import { usageError } from '../../errors.ts';

export interface DiskFlag {
  readonly disk?: readonly string[];
}

export interface LimitFlags {
  readonly maxChain: string;
  readonly allowLongFreeze?: boolean;
  readonly acceptPermanent?: boolean;
}

export function addDiskFlag(command: Command): Command {
  return command.option('--disk <id>', 'only this disk; may be given several times', (value: string, before: readonly string[] = []) => [...before, value]);
}

export function addLimitFlags(command: Command, purpose = ''): Command {
  return command
    .option('--max-chain <n>', `${purpose}so many snapshots a disk may have, the new one included`, String(DEFAULT_MAX_CHAIN))
    .option('--allow-long-freeze', `${purpose}also where the guest stands still until a whole raw disk is copied`)
    .option('--accept-permanent', `${purpose}also the first snapshot of a persistent disk, which can never be deleted`);
}

export function limitsOf(flags: LimitFlags): CreateLimits {
  const maxChain = numberOf(flags.maxChain, '--max-chain');
  return { maxChain, allowLongFreeze: flags.allowLongFreeze ?? false, acceptPermanent: flags.acceptPermanent ?? false };
}

export function disksOf({ disk }: DiskFlag): readonly DiskId[] | undefined {
  return disk?.map((id) => diskId(parseId(id, 'a disk')));
}

export function numberOf(text: string, flag: string): number {
  if (/^\d{1,6}$/.test(text) && Number(text) > 0) return Number(text);
  throw usageError(`${flag} is '${text}'`, 'give a whole number from 1');
}

const SECOND = 1000;
const UNIT_MS: Readonly<Record<string, number>> = { s: SECOND, m: 60 * SECOND, h: 3600 * SECOND, d: 86_400 * SECOND, w: 604_800 * SECOND };

/** `90s`, `5m`, `7d`: one number and one of `units`. */
export function spanMs(text: string, flag: string, units: string): number {
  const match = /^(\d{1,5})([a-z])$/.exec(text);
  const unit = match?.[2] ?? '';
  const ms = units.includes(unit) ? Number(match?.[1]) * (UNIT_MS[unit] ?? Number.NaN) : Number.NaN;
  if (ms > 0) return ms;
  throw usageError(`${flag} is '${text}'`, `give a number and one of ${[...units].join(', ')}, such as 2${units.at(-1)}`);
}
