import type { Damage } from '@onevault/backup-format';
import { errorCode } from '@onevault/base';
import { printable } from './table.ts';
import { count, formatBytes, formatTime } from './units.ts';

/** What people call a restore point and its disks. */
export interface PointName {
  readonly vm: { readonly id: number | undefined; readonly name: string | undefined };
  readonly capturedAt: string;
  disk(key: string): { readonly diskId: number | undefined; readonly target: string | undefined } | undefined;
}

/** More ranges than this are counted, not listed; `--json` has them all. */
const RANGES_SHOWN = 8;

/** One damaged object and everything it touches: VM, disk, byte range, restore point. */
export function damageLines(damage: Damage, nameOf: (pointId: string) => PointName | undefined): string[] {
  const head = `damaged: ${damage.key}: ${damage.error.message} (${errorCode(damage.error) ?? damage.error.name})`;
  const affected = damage.affects.map((one) => `  ${affectedText(one, nameOf(one.pointId))}`);
  return [head, ...(affected.length > 0 ? affected : ['  no restore point needs it: onevault repo gc --repack-below 100% takes it away'])].map(printable);
}

function affectedText(affected: Damage['affects'][number], name: PointName | undefined): string {
  const vm = name === undefined ? affected.group : `VM ${name.vm.id ?? '?'} ${name.vm.name ?? ''}`.trim();
  const point = `restore point ${affected.pointId}${name === undefined ? '' : ` of ${formatTime(name.capturedAt)}`}`;
  if (affected.metadata !== undefined) return `${vm}, metadata ${affected.metadata}, ${point}`;
  if (affected.diskKey === undefined) return `${vm}, all of ${point}`;
  const disk = name?.disk(affected.diskKey);
  const diskText = disk?.diskId === undefined ? affected.diskKey : `disk ${disk.diskId} ${disk.target ?? ''}`.trim();
  return `${vm}, ${diskText}, ${rangesText(affected.ranges)}, ${point}`;
}

function rangesText(ranges: Damage['affects'][number]['ranges']): string {
  if (ranges === undefined || ranges.length === 0) return 'all of it';
  const shown = ranges.slice(0, RANGES_SHOWN).map(({ offset, length }) => `${offset}..${offset + length - 1}`);
  const more = ranges.length > RANGES_SHOWN ? ` and ${ranges.length - RANGES_SHOWN} more` : '';
  const total = ranges.reduce((sum, { length }) => sum + length, 0);
  return `bytes ${shown.join(', ')}${more} (${formatBytes(total)} in ${count(ranges.length, 'range')})`;
}
