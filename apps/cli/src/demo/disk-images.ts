import { execFile } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CallOptions } from '@onevault/base';

const MIB = 1024 * 1024;
const run = promisify(execFile);

export interface DiskImage {
  readonly path: string;
  readonly sizeMiB: number;
  /** What is on it, for the story. */
  readonly text: string;
}

/** A disk of a web server: a third empty, the rest half text and half what does not compress. ext4 with files when e2fsprogs is there. */
export async function makeDisk(dir: string, name: string, sizeMiB: number, seed: number, options: CallOptions): Promise<DiskImage> {
  const path = join(dir, `${name}.raw`);
  const files = join(dir, `${name}-files`);
  const fileCount = await makeFiles(files, Math.floor((sizeMiB * MIB * 2) / 3), seed, options);
  try {
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-L', name, '-d', files, path, `${sizeMiB}M`], {
      ...options,
      env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
    });
    return { path, sizeMiB, text: `ext4 with ${fileCount} files` };
  } catch (error) {
    options.signal?.throwIfAborted();
    await makePlainDisk(path, sizeMiB, seed, options);
    return {
      path,
      sizeMiB,
      text: `generated blocks without a file system: ${isMissing(error) ? 'mke2fs is not installed (apt-get install e2fsprogs)' : 'mke2fs failed'}`,
    };
  } finally {
    await rm(files, { recursive: true, force: true });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

const FILE_BYTES = [3 * 1024, 40 * 1024, 700 * 1024, 5 * MIB];

async function makeFiles(dir: string, totalBytes: number, seed: number, options: CallOptions): Promise<number> {
  let bytes = 0;
  let count = 0;
  while (bytes < totalBytes) {
    options.signal?.throwIfAborted();
    const size = FILE_BYTES[count % FILE_BYTES.length] ?? MIB;
    const folder = join(dir, `folder-${count % 8}`);
    if (count < 8) await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `file-${count}`), count % 2 === 0 ? noise(seed + count, size) : text(seed + count, size));
    bytes += size;
    count++;
  }
  return count;
}

/** MiB by MiB: text, noise, nothing, in turn. */
async function makePlainDisk(path: string, sizeMiB: number, seed: number, options: CallOptions): Promise<void> {
  await using file = await open(path, 'w');
  await file.truncate(sizeMiB * MIB);
  for (let mib = 0; mib < sizeMiB; mib++) {
    options.signal?.throwIfAborted();
    if (mib % 3 !== 2) await file.write(mib % 3 === 0 ? text(seed + mib, MIB) : noise(seed + mib, MIB), 0, MIB, mib * MIB);
  }
}

/** Bytes that no compressor makes smaller, the same for the same seed: a key stream. */
function noise(seed: number, length: number): Buffer {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed >>> 0);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** Lines of a log: compressible, and different for every seed. */
function text(seed: number, length: number): Buffer {
  const lines: string[] = [];
  for (let at = 0, line = 0; at < length; line++) {
    lines.push(`192.0.2.${(seed + line) % 254} - - [22/Nov/2026] "GET /item/${seed * 31 + line * 7} HTTP/1.1" 200 ${(line * 37) % 9000}\n`);
    at += lines.at(-1)?.length ?? 0;
  }
  return Buffer.from(lines.join('')).subarray(0, length);
}
