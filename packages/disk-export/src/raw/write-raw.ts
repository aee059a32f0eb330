import type { CallOptions } from '@onevault/base';
import type { ExportDevice } from '../export-api.ts';
import type { FileWriter } from '../file-writer.ts';
import type { DiskRun } from '../source.ts';
import type { StreamSink } from '../stream-sink.ts';
import { isZero } from '../zero.ts';
import { piecesOf, splitZeros } from './raw-runs.ts';

type Runs = AsyncIterable<DiskRun>;

/** Exactly `sizeBytes` long. What reads as zeros is never written, unless the space is to be taken at once. Returns the bytes written. */
export async function writeRawFile(
  runs: Runs,
  writer: FileWriter,
  file: { readonly sizeBytes: number; readonly preallocate: boolean },
  options: CallOptions,
): Promise<number> {
  await writer.resize(file.sizeBytes);
  let written = 0;
  for await (const run of file.preallocate ? runs : splitZeros(runs)) {
    if (run.kind === 'zero' && !file.preallocate) continue;
    for (const { offset, data } of piecesOf(run)) {
      await writer.write(offset, data, options);
      written += data.length;
    }
  }
  await writer.flush();
  return written;
}

export async function writeRawStream(runs: Runs, sink: StreamSink, options: CallOptions): Promise<number> {
  for await (const run of runs) for (const { data } of piecesOf(run)) await sink.write(data, options);
  return sink.position;
}

/** How much of a device is looked at at once: as much as `piecesOf` makes of zeros. */
const STEP_BYTES = 2 ** 20;

/**
 * A device holds what it held before: zeros are written too, but only where it does not read as zeros, so that thin storage stays thin. What is behind the
 * end of the disk is left alone. Returns the bytes written.
 */
export async function writeDevice(runs: Runs, device: ExportDevice, options: CallOptions): Promise<number> {
  const seen = new Uint8Array(STEP_BYTES);
  let written = 0;
  for await (const run of splitZeros(runs)) {
    for (const { offset, data } of piecesOf(run)) {
      if (run.kind === 'zero' && (await readsAsZeros(device, offset, seen.subarray(0, data.length), options))) continue;
      await device.writeFrom(offset, data, options);
      written += data.length;
    }
  }
  await device.flush(options);
  return written;
}

async function readsAsZeros(device: ExportDevice, offset: number, into: Uint8Array, options: CallOptions): Promise<boolean> {
  await device.readInto(offset, into, options);
  return isZero(into);
}
