import { createCipheriv, randomBytes } from 'node:crypto';
import { cp, mkdtemp, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRepository, fileStore, keyFileSecret, type RestorePoint } from '@onevault/backup-format';
import { scanBytes } from '@onevault/backup-format/testing';
import { systemClock } from '@onevault/base';

export const MIB = 2 ** 20;

/** An encrypted repository with one restore point of two disks, and the key file that opens it: all that a machine needs to export. */
export interface StoredPoint extends AsyncDisposable {
  readonly repository: string;
  readonly keyFile: string;
  readonly point: RestorePoint;
  /** What the disks hold. */
  readonly disks: readonly [Buffer, Buffer];
  file(name: string): string;
  /** A copy of the repository in which one chunk of data is damaged. */
  damaged(): Promise<string>;
}

export async function storedPoint(): Promise<StoredPoint> {
  const dir = await mkdtemp(join(tmpdir(), 'onevault-export-'));
  const file = (name: string): string => join(dir, name);
  const key = randomBytes(64);
  await writeFile(file('key'), key);
  const disks = [disk(1, 12 * MIB, 5 * MIB), disk(2, 6 * MIB + 512, 3 * MIB)] as const;
  const point = await backUp(file('repository'), key, disks);
  return {
    repository: file('repository'),
    keyFile: file('key'),
    point,
    disks,
    file,
    async damaged() {
      await cp(file('repository'), file('damaged'), { recursive: true });
      await damageLargestPack(file('damaged/packs'));
      return file('damaged');
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

/** Noise with holes: no two blocks are the same. */
function disk(seed: number, sizeBytes: number, dataBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  bytes.set(createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(dataBytes)), MIB);
  return bytes;
}

async function backUp(path: string, key: Uint8Array, disks: readonly Buffer[]): Promise<RestorePoint> {
  await using repository = await createRepository(fileStore(path), { encryption: { secret: keyFileSecret(key) } }, { clock: systemClock });
  await using writer = await repository.begin({ group: 'one-1-vm-7', runId: 'run-1', capturedAt: '2026-11-22T19:00:00Z', mode: 'full' });
  for (const [diskId, bytes] of disks.entries()) {
    const runs = scanBytes(bytes, { blockSizeBytes: repository.config.blockSizeBytes, digest: repository.digest });
    await writer.writeDisk({ key: `disk-${diskId}`, sizeBytes: bytes.length, annotations: { diskId, target: `vd${'ab'[diskId]}` } }, runs);
  }
  await writer.writeMetadata('vm.xml', Buffer.from('<VM/>'));
  await writer.writeMetadata('images/7.xml', Buffer.from('<IMAGE/>'));
  return await writer.commit({ annotations: { vm: { id: 7, name: 'web server' } } });
}

/** Flips a byte in the middle of the pack that holds most: a chunk of data. */
async function damageLargestPack(packs: string): Promise<void> {
  const names = (await readdir(packs, { recursive: true })).map((name) => join(packs, name));
  const sizes = await Promise.all(names.map(async (name) => ((await stat(name)).isFile() ? (await stat(name)).size : 0)));
  const largest = Math.max(...sizes);
  await using pack = await open(names[sizes.indexOf(largest)] ?? '', 'r+');
  const byte = Buffer.alloc(1);
  await pack.read(byte, 0, 1, largest >> 1);
  byte[0] = (byte[0] ?? 0) ^ 0xff;
  await pack.write(byte, 0, 1, largest >> 1);
}
