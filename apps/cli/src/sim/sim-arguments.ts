import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseBytes } from '@onevault/composition';
import { DEFAULT_TIMES, type OperationTimes, type SimState, type VmSpec } from '@onevault/one-sim';
import { CliError, usageError } from '../errors.ts';

const MIB = 1024 * 1024;

/** `256MiB`, or the path of a raw file to register a copy of. */
export async function parseDisk(text: string, cwd: string): Promise<VmSpec['disks'][number]> {
  const bytes = parseBytes(text);
  if (bytes !== undefined) return { sizeMiB: parseMiB(text) };
  const file = resolve(cwd, text);
  if ((await stat(file).catch(() => undefined))?.isFile() === true) return { file };
  throw usageError(`a disk of '${text}': neither a size nor a file`, '--disk 256MiB or --disk ./disk.raw');
}

export function parseMiB(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined || bytes < MIB || bytes % MIB !== 0)
    throw usageError(`a size of '${text}'`, 'OpenNebula knows no finer unit: whole MiB, as 256MiB or 1G');
  return bytes / MIB;
}

/** `saveas=5000,attach=2000` in ms, or a factor: `10` makes everything ten times slower. */
export function parseTimes(text: string): Partial<OperationTimes> {
  if (/^\d+(\.\d+)?$/.test(text)) return Object.fromEntries(Object.entries(DEFAULT_TIMES).map(([name, ms]) => [name, ms * Number(text)]));
  return Object.fromEntries(
    text.split(',').map((part) => {
      const [name = '', ms = ''] = part.split('=');
      if (!Object.hasOwn(DEFAULT_TIMES, name) || !/^\d+$/.test(ms))
        throw usageError(`times of '${part}'`, `a factor, or NAME=MS of ${Object.keys(DEFAULT_TIMES).join(', ')}`);
      return [name, Number(ms)];
    }),
  );
}

/** A VM of the simulator by id or name; one that is DONE is not there any more. */
export function findSimVm(state: SimState, text: string): SimState['vms'][number] {
  const living = state.vms.filter((vm) => vm.stateText !== 'DONE');
  const found = living.find((vm) => (/^\d+$/.test(text) ? vm.id === Number(text) : vm.name === text));
  if (found !== undefined) return found;
  throw new CliError({
    code: 'CLI_VM_NOT_FOUND',
    message: `the simulator has no VM '${text}'`,
    hint: `it has ${living.map((vm) => `${vm.id} ${vm.name}`).join(', ') || 'none'}`,
  });
}
