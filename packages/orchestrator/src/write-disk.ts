import type { DiskReader } from '@onevault/backup-format';
import type { CallOptions } from '@onevault/base';
import type { BlockDevice } from '@onevault/block-cbt';
import type { AttachedDisk } from '@onevault/proxy-attach';
import { JobError } from './errors.ts';
import { openAttached, openAttachedWritable } from './open-attached.ts';
import type { JobDeps } from './ports.ts';
import type { Run } from './run.ts';

/** What the three passes over a restored disk need. */
export interface DiskTarget {
  readonly diskId: number;
  readonly attached: AttachedDisk;
  readonly reader: DiskReader;
  readonly scanWorkers: number | undefined;
}

/**
 * Writes every block that is not zero, in disk order, and flushes. Returns the bytes written. The device is opened once, exclusively, and proven empty
 * through the very descriptor that is written to: whatever its name comes to mean meanwhile, nobody else's data is overwritten.
 */
export async function writeDisk(deps: JobDeps, run: Run, target: DiskTarget, options: CallOptions): Promise<number> {
  await using device = await openAttachedWritable(deps, target.attached, options);
  await assertEmpty(deps, device, target, options);
  const totalBytes = target.reader.grid.sizeBytes;
  let writtenBytes = 0;
  for await (const block of target.reader.blocks(options)) {
    if (block.kind === 'data') {
      await device.writeFrom(block.offset, block.data, options);
      writtenBytes += block.data.length;
    }
    const doneBytes = block.offset + (block.kind === 'data' ? block.data.length : block.length);
    run.emit({ type: 'disk.progress', phase: 'write', diskId: target.diskId, doneBytes, totalBytes });
  }
  await device.flush(options);
  return writtenBytes;
}

/** A fresh image reads as zeros from end to end. One that does not is somebody's data, and is not written to. */
async function assertEmpty(deps: JobDeps, device: BlockDevice, target: DiskTarget, options: CallOptions): Promise<void> {
  for await (const run of deps.devices.scan(device, scanOptions(deps, target, options))) {
    if (run.kind !== 'changed') continue;
    run.release();
    throw new JobError({
      code: 'JOB_DEVICE_NOT_EMPTY',
      message: `${device.path} is not empty: block ${run.index} holds data; nothing was written`,
      details: { devicePath: device.path, offset: run.index * deps.repository.config.blockSizeBytes },
      hint: 'the datastore gave out storage that was not wiped, or this is not the disk it should be',
    });
  }
}

/** Reads the disk back from the device and compares it, block by block, with the digests of the restore point: holes included. */
export async function verifyDisk(deps: JobDeps, run: Run, target: DiskTarget, options: CallOptions): Promise<void> {
  await using device = await openAttached(deps, target.attached, options);
  const { grid } = target.reader;
  const scan = deps.devices.scan(device, {
    ...scanOptions(deps, target, options),
    parent: target.reader,
    onProgress: (doneBytes) => run.emit({ type: 'disk.progress', phase: 'verify', diskId: target.diskId, doneBytes, totalBytes: device.sizeBytes }),
  });
  for await (const found of scan) {
    if (found.kind === 'changed') found.release();
    // Past the saved size the new image has its rounding up to a whole MiB, which is zeros.
    if (found.kind === 'unchanged' || (found.kind === 'zero' && found.index >= grid.blockCount)) continue;
    if (await isRoundedTail(device, target, found.index, options)) continue;
    throw new JobError({
      code: 'JOB_RESTORE_MISMATCH',
      message: `${device.path} does not read back what was written: block ${found.index} (offset ${found.index * grid.blockSizeBytes}) differs`,
      details: { devicePath: device.path, offset: found.index * grid.blockSizeBytes },
      hint: 'the storage under the image loses writes: look into the host and datastore before restoring again',
    });
  }
}

/** The last saved block may be shorter than the grid's: on a larger device the digest of its block covers the rounding too. */
async function isRoundedTail(device: BlockDevice, target: DiskTarget, index: number, options: CallOptions): Promise<boolean> {
  const { grid } = target.reader;
  const offset = index * grid.blockSizeBytes;
  if (device.sizeBytes === grid.sizeBytes || index !== grid.blockCount - 1) return false;
  const expected = new Uint8Array(Math.min(grid.blockSizeBytes, device.sizeBytes - offset));
  for await (const block of target.reader.blocks({ ...options, from: index, to: index + 1 })) if (block.kind === 'data') expected.set(block.data);
  const actual = new Uint8Array(expected.length);
  await device.readInto(offset, actual, options);
  return Buffer.compare(expected, actual) === 0;
}

function scanOptions(deps: JobDeps, target: DiskTarget, options: CallOptions) {
  const { config, digest } = deps.repository;
  return {
    blockSizeBytes: config.blockSizeBytes,
    digest,
    ...(target.scanWorkers !== undefined && { workers: target.scanWorkers }),
    ...(options.signal && { signal: options.signal }),
  };
}
