import { createHash, createHmac } from 'node:crypto';
import { Blake3Hasher, blake3 } from '@napi-rs/blake-hash';
import { blockGrid, blockRange, DIGEST_BYTES, type DigestSource } from '@onevault/base';
import type { DigestAlgorithm, DigestSpec, WritableRun } from '../src/index.ts';

export interface ScanBytesOptions {
  readonly blockSizeBytes: number;
  /** `repository.digest`, or an algorithm without a key. */
  readonly digest: DigestAlgorithm | DigestSpec;
  /** Compared with block by block, as a scan of a device does. */
  readonly parent?: DigestSource | undefined;
  /** Called once for each changed block that was given back. */
  readonly onRelease?: (index: number) => void;
}

/** What a scan of a device with these bytes would hand to a writer: the plainest possible one, for tests. */
export async function* scanBytes(disk: Uint8Array, options: ScanBytesOptions): AsyncGenerator<WritableRun, void> {
  const grid = blockGrid(disk.length, options.blockSizeBytes);
  const digestOf = digestFunctionOf(typeof options.digest === 'string' ? { algorithm: options.digest } : options.digest);
  for (let index = 0; index < grid.blockCount; index++) {
    const { offset, length } = blockRange(grid, index);
    const data = disk.subarray(offset, offset + length);
    const zero = data.every((byte) => byte === 0);
    const digest = zero ? Buffer.alloc(DIGEST_BYTES) : digestOf(data);
    if (await isUnchanged(options.parent, index, digest)) yield { kind: 'unchanged', index, count: 1 };
    else if (zero) yield { kind: 'zero', index, count: 1 };
    else yield { kind: 'changed', index, digest, data, release: () => options.onRelease?.(index) };
  }
}

async function isUnchanged(parent: DigestSource | undefined, index: number, digest: Uint8Array): Promise<boolean> {
  if (!parent || index >= parent.grid.blockCount) return false;
  const before = await parent.digests(index, 1);
  return before !== undefined && Buffer.compare(before, digest) === 0;
}

export function digestFunctionOf({ algorithm, key }: DigestSpec): (bytes: Uint8Array) => Uint8Array {
  const secret = key && Buffer.from(key.reveal(), 'hex');
  if (algorithm === 'blake3') return (bytes) => (secret ? Blake3Hasher.newKeyed(secret).update(bytes).digestBuffer() : blake3(bytes));
  return (bytes) => (secret ? createHmac('sha256', secret) : createHash('sha256')).update(bytes).digest();
}
