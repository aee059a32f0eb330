import type { DiskReader, Repository } from '@onevault/backup-format';
import type { CallOptions } from '@onevault/base';
import type { BlockDevice, WritableBlockDevice } from '@onevault/block-cbt';
import { JobError } from '../errors.ts';
import type { DevicePort } from '../ports.ts';
import { BlockSet } from './block-set.ts';

/** What a delta restore works with: no OpenNebula, no journal. */
export interface DeltaDeps {
  readonly devices: Pick<DevicePort, 'scan'>;
  readonly repository: Pick<Repository, 'config' | 'digest'>;
}

/** The device that gets the disk. Both proves that it is the right one each time it is asked. */
export interface DeltaDevice {
  read(): Promise<BlockDevice>;
  /** Only called when something differs. */
  write(): Promise<WritableBlockDevice>;
}

export interface DeltaOptions extends CallOptions {
  /** Reads the whole device once more and compares it. */
  readonly verify: boolean;
  readonly scanWorkers?: number | undefined;
  readonly onProgress?: (phase: 'scan' | 'write' | 'verify', doneBytes: number, totalBytes: number) => void;
}

export interface DeltaReport {
  readonly scannedBytes: number;
  readonly writtenBytes: number;
  readonly verified: boolean;
}

/**
 * Makes a device hold what the restore point says by writing only the blocks that differ: the device is read whole and compared with the point's digests,
 * then the differing blocks are fetched and written, zeros as zeros, flushed, and (`verify`) everything is compared once more. Memory: one bit a block.
 * Killed in between, the device is neither old nor new; the same call again finishes it.
 */
export async function deltaRestore(deps: DeltaDeps, target: DeltaDevice, reader: DiskReader, options: DeltaOptions): Promise<DeltaReport> {
  const { differing, deviceBytes } = await compare(deps, target, reader, 'scan', options);
  const writtenBytes = differing.size === 0 ? 0 : await write(target, reader, differing, options);
  if (options.verify && differing.size > 0) await verify(deps, target, reader, options);
  return { scannedBytes: deviceBytes, writtenBytes, verified: options.verify };
}

async function compare(deps: DeltaDeps, target: DeltaDevice, reader: DiskReader, phase: 'scan' | 'verify', options: DeltaOptions) {
  await using device = await target.read();
  const differing = await differingBlocks(deps, device, reader, phase, options);
  return { differing, deviceBytes: device.sizeBytes };
}

/** Every block whose bytes are not what the point says; past the end of the saved disk, where an image is rounded up to whole MiB, that is zeros. */
async function differingBlocks(deps: DeltaDeps, device: BlockDevice, reader: DiskReader, phase: 'scan' | 'verify', options: DeltaOptions): Promise<BlockSet> {
  const { blockSizeBytes } = deps.repository.config;
  const { grid } = reader;
  const found = new BlockSet(Math.ceil(device.sizeBytes / blockSizeBytes));
  const scan = deps.devices.scan(device, {
    blockSizeBytes,
    digest: deps.repository.digest,
    parent: reader,
    onProgress: (doneBytes) => options.onProgress?.(phase, doneBytes, device.sizeBytes),
    ...(options.scanWorkers !== undefined && { workers: options.scanWorkers }),
    ...(options.signal && { signal: options.signal }),
  });
  for await (const run of scan) {
    if (run.kind === 'changed') {
      run.release();
      found.add(run.index);
    }
    if (run.kind === 'zero') for (let index = run.index; index < Math.min(run.index + run.count, grid.blockCount); index++) found.add(index);
  }
  const last = grid.blockCount - 1;
  if (found.has(last) && (await endsAsSaved(device, reader, options))) found.delete(last);
  return found;
}

/** The last saved block may be shorter than the grid's: on a larger device the digest of its block covers the rounding too. */
async function endsAsSaved(device: BlockDevice, reader: DiskReader, options: CallOptions): Promise<boolean> {
  const { grid } = reader;
  if (device.sizeBytes === grid.sizeBytes || grid.sizeBytes % grid.blockSizeBytes === 0) return false;
  const last = grid.blockCount - 1;
  const offset = last * grid.blockSizeBytes;
  const expected = new Uint8Array(Math.min(grid.blockSizeBytes, device.sizeBytes - offset));
  for await (const block of reader.blocks({ ...signalOf(options), from: last, to: last + 1 })) if (block.kind === 'data') expected.set(block.data);
  const actual = new Uint8Array(expected.length);
  await device.readInto(offset, actual, options);
  return Buffer.compare(expected, actual) === 0;
}

/** Blocks fetched with one request: long enough for packs to be read in one piece, short enough for an abort to be heard. */
const LONGEST_RUN = 64;

async function write(target: DeltaDevice, reader: DiskReader, differing: BlockSet, options: DeltaOptions): Promise<number> {
  await using device = await target.write();
  const { blockSizeBytes, blockCount, sizeBytes } = reader.grid;
  const totalBytes = Math.min(differing.size * blockSizeBytes, device.sizeBytes);
  let writtenBytes = 0;
  const wrote = (bytes: number): void => {
    writtenBytes += bytes;
    options.onProgress?.('write', Math.min(writtenBytes, totalBytes), totalBytes);
  };
  for (const { from, to } of differing.ranges(LONGEST_RUN)) {
    if (from < blockCount) {
      for await (const block of reader.blocks({ ...signalOf(options), from, to: Math.min(to, blockCount) })) {
        if (block.kind === 'zero') wrote(await writeZeros(device, block.offset, block.length, options));
        else {
          await device.writeFrom(block.offset, block.data, options);
          wrote(block.data.length);
        }
      }
    }
    const past = Math.max(from * blockSizeBytes, sizeBytes);
    const end = Math.min(to * blockSizeBytes, device.sizeBytes);
    if (to >= blockCount && end > past) wrote(await writeZeros(device, past, end - past, options));
  }
  await device.flush(options);
  return writtenBytes;
}

const ZEROS = new Uint8Array(1024 * 1024);

/** What the point says is zero must read as zero: the device may hold old data there. */
async function writeZeros(device: WritableBlockDevice, offset: number, length: number, options: CallOptions): Promise<number> {
  for (let done = 0; done < length; done += ZEROS.length) {
    await device.writeFrom(offset + done, ZEROS.subarray(0, Math.min(ZEROS.length, length - done)), options);
  }
  return length;
}

async function verify(deps: DeltaDeps, target: DeltaDevice, reader: DiskReader, options: DeltaOptions): Promise<void> {
  const { first } = (await compare(deps, target, reader, 'verify', options)).differing;
  if (first === undefined) return;
  const offset = first * reader.grid.blockSizeBytes;
  throw new JobError({
    code: 'JOB_RESTORE_MISMATCH',
    message: `the device does not read back what was written: block ${first} (offset ${offset}) differs`,
    details: { offset },
    hint: 'the storage under the image loses writes: look into the host and datastore before restoring again',
  });
}

function signalOf({ signal }: CallOptions): CallOptions {
  return signal === undefined ? {} : { signal };
}
