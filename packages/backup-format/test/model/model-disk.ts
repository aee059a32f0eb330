import { DIGEST_BYTES } from '@onevault/base';
import type { DigestSpec, DiskReader, RestoredRun, WritableRun } from '../../src/index.ts';
import { digestFunctionOf } from '../../testing/scan-bytes.ts';
import type { ModelRandom } from './scheduler.ts';

export const BLOCK = 64 * 1024;
/** Few different contents, so that blocks are shared between disks, points and writers all the time. */
const CONTENTS = 24;

/** A disk as the model sees it: what content each block has; 0 is zeros. The last block may be short. */
export interface ModelDisk {
  readonly sizeBytes: number;
  readonly blocks: readonly number[];
}

const contents = new Map<number, Buffer>();

function contentOf(id: number): Buffer {
  let bytes = contents.get(id);
  if (!bytes) {
    bytes = id === 0 ? Buffer.alloc(BLOCK) : Buffer.alloc(BLOCK, `content ${id} of a block. `);
    contents.set(id, bytes);
  }
  return bytes;
}

function blockBytes(disk: ModelDisk, index: number): Buffer {
  return contentOf(disk.blocks[index] ?? 0).subarray(0, Math.min(BLOCK, disk.sizeBytes - index * BLOCK));
}

export function newDisk(random: ModelRandom): ModelDisk {
  const count = random.int(8);
  const blocks = Array.from({ length: count }, () => (random.next() < 0.25 ? 0 : 1 + random.int(CONTENTS)));
  return { blocks, sizeBytes: sizeOf(count, random) };
}

function sizeOf(blocks: number, random: ModelRandom): number {
  const short = [BLOCK, BLOCK, 77, 1][random.int(4)] ?? BLOCK;
  return blocks === 0 ? 0 : (blocks - 1) * BLOCK + short;
}

/** The guest writes, or the disk grows or shrinks. */
export function changeDisk(disk: ModelDisk, random: ModelRandom): ModelDisk {
  if (random.next() < 0.2) {
    const count = random.int(9);
    const blocks = Array.from({ length: count }, (_, index) => disk.blocks[index] ?? 0);
    return { blocks, sizeBytes: sizeOf(count, random) };
  }
  const blocks = [...disk.blocks];
  for (let writes = 1 + random.int(3); writes > 0 && blocks.length > 0; writes--) {
    blocks[random.int(blocks.length)] = random.next() < 0.2 ? 0 : 1 + random.int(CONTENTS);
  }
  return { ...disk, blocks };
}

const digests = new Map<string, Uint8Array>();
const MAX_DIGESTS = 10_000;

function blockDigest(disk: ModelDisk, index: number, spec: DigestSpec): Uint8Array {
  const data = blockBytes(disk, index);
  const key = `${spec.algorithm} ${spec.key?.reveal() ?? ''} ${disk.blocks[index] ?? 0} ${data.length}`;
  let digest = digests.get(key);
  if (!digest) {
    digest = disk.blocks[index] ? digestFunctionOf(spec)(data) : new Uint8Array(DIGEST_BYTES);
    if (digests.size >= MAX_DIGESTS) digests.clear(); // every encrypted repository has its own
    digests.set(key, digest);
  }
  return digest;
}

/** What a scan finds. Like the real one it lets what equals the parent be unchanged, page by page. */
export async function* scanModelDisk(disk: ModelDisk, spec: DigestSpec, parent: DiskReader | undefined): AsyncGenerator<WritableRun, void> {
  const comparable = Math.min(disk.blocks.length, parent?.grid.blockCount ?? 0);
  const before = comparable > 0 ? await parent?.digests(0, comparable) : undefined;
  for (let index = 0; index < disk.blocks.length; index++) {
    const digest = blockDigest(disk, index, spec);
    const known = before && index < comparable ? before.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES) : undefined;
    if (known && Buffer.compare(known, digest) === 0) yield { kind: 'unchanged', index, count: 1 };
    else if (disk.blocks[index]) yield { kind: 'changed', index, digest, data: blockBytes(disk, index) };
    else yield { kind: 'zero', index, count: 1 };
  }
}

/** Undefined when the stored disk is byte for byte `disk`; otherwise what is wrong. */
export async function difference(disk: ModelDisk, stored: DiskReader): Promise<string | undefined> {
  if (stored.grid.sizeBytes !== disk.sizeBytes) return `has ${stored.grid.sizeBytes} bytes instead of ${disk.sizeBytes}`;
  let next = 0;
  for await (const run of stored.blocks()) {
    if (run.offset !== next) return `goes from ${next} to ${run.offset}`;
    const differs = differingBlock(disk, run);
    if (differs !== undefined) return `differs in block ${differs}`;
    next += run.kind === 'data' ? run.data.length : run.length;
  }
  return next === disk.sizeBytes ? undefined : `ends at ${next} of ${disk.sizeBytes}`;
}

function differingBlock(disk: ModelDisk, run: RestoredRun): number | undefined {
  const index = run.offset / BLOCK;
  if (run.kind === 'data') return blockBytes(disk, index).equals(run.data) ? undefined : index;
  const blocks = Array.from({ length: Math.ceil(run.length / BLOCK) }, (_, at) => index + at);
  return blocks.find((block) => (disk.blocks[block] ?? 0) !== 0);
}
