import { escapeName, type Refusal, type TarReport } from '@onevault/guest-files';
import type { Output } from '../render/output.ts';

const WHY: Readonly<Record<Refusal, string>> = {
  escapes: 'its path leads out of the target',
  exists: 'something of this name is there',
  special: 'it is a device, FIFO or socket',
  'too-deep': 'directories lie too deep',
  'through-link': 'a directory of its path is a link, or no directory, here',
  'link-target': 'it is a hard link to a file that was not written',
  unwritable: 'it cannot be written here under this name',
  unknown: 'it is of a kind that is not known',
};

/** Warnings for people; the document has all that are named. */
const SHOWN = 20;

export function sumOf(reports: readonly TarReport[]): TarReport {
  return {
    entries: reports.reduce((sum, report) => sum + report.entries, 0),
    bytes: reports.reduce((sum, report) => sum + report.bytes, 0),
    refused: reports.flatMap((report) => report.refused),
    refusedCount: reports.reduce((sum, report) => sum + report.refusedCount, 0),
  };
}

export function warnOfRefusals(output: Output, { refused, refusedCount }: TarReport): void {
  for (const { path, why } of refused.slice(0, SHOWN)) output.warn(`left out ${escapeName(path)}: ${WHY[why]}`);
  if (refusedCount > SHOWN) output.warn(`and ${refusedCount - SHOWN} more are left out; --json names the first thousand`);
}

export function refusalsDocument({ entries, bytes, refused, refusedCount }: TarReport): object {
  return {
    entries,
    bytes,
    refusedCount,
    refused: refused.map(({ path, why }) => ({ path: escapeName(path), pathBase64: path.toString('base64'), why })),
  };
}
