import type { CallOptions } from '@onevault/base';
import { guestPath } from './fish/command-line.ts';
import type { Guestfish } from './fish/guestfish.ts';
import { statPath, wrongKind } from './listing.ts';

export interface FileRange {
  readonly offset?: number;
  readonly length?: number;
}

/** The bytes of a file, or of a range of it that is cut at its end; symbolic links are followed inside the guest. Throws FILES_PATH_NOT_FOUND, FILES_PATH_KIND. */
export async function* readGuestFile(fish: Guestfish, path: Uint8Array, range: FileRange, options: CallOptions): AsyncGenerator<Buffer, void> {
  const { facts } = await statPath(fish, path, { ...options, follow: true });
  // Nothing but a file is opened: a FIFO would wait for a writer for ever.
  if (facts !== undefined && facts.type !== 'file') throw wrongKind(path, facts, 'file');
  const size = facts?.sizeBytes ?? 0;
  const offset = range.offset ?? 0;
  const length = Math.min(range.length ?? Number.MAX_SAFE_INTEGER, size - offset);
  if (length <= 0) return;
  const whole = offset === 0 && length === size;
  yield* whole
    ? fish.stream('download', (output) => [guestPath(path), output], options)
    : fish.stream('download-offset', (output) => [guestPath(path), output, String(offset), String(length)], options);
}
