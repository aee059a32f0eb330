import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRandom } from '@onevault/base/testing';
import { expect } from 'vitest';
import { BLOCK, client, NBD_CLIENTS, nbdWorld } from '../support/nbd-world.ts';
import { testWith } from '../support/requires.ts';

const BLOCKS = 40;

testWith(NBD_CLIENTS, 'a damaged block is a read error for who touches it, and for nobody else', async () => {
  const disk = Buffer.from(seededRandom(5).bytes(BLOCKS * BLOCK));
  await using world = await nbdWorld(new Map([['disk', disk]]));
  const damaged = await damageOneBlock(world.repository, disk);
  await using serving = await world.serve();
  const uri = serving.uri('disk');
  const read = (...commands: string[]): Promise<string> => client('qemu-io', '-r', '-f', 'raw', ...commands.flatMap((command) => ['-c', command]), uri);
  await expect(client('nbdcopy', uri, join(world.directory, 'copy'))).rejects.toThrow(/Input\/output error/);
  for (let block = 0; block < BLOCKS; block++) {
    const reading = read(`read ${block * BLOCK} ${BLOCK}`);
    if (block === damaged) await expect(reading).rejects.toThrow(/Input\/output error/);
    else await reading;
  }
  const { stderr } = await serving.stop();
  expect(stderr).toContain(`"offset":${damaged * BLOCK}`);
});

/** Turns a byte of a chunk in its pack; which block of the disk that is. */
async function damageOneBlock(repository: string, disk: Buffer): Promise<number> {
  for (const entry of await readdir(join(repository, 'packs'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path);
    for (let block = 7; block < BLOCKS; block++) {
      const at = bytes.indexOf(disk.subarray(block * BLOCK, block * BLOCK + 64)); // noise is stored as it is
      if (at < 0) continue;
      bytes.writeUInt8((bytes[at + 100] ?? 0) ^ 1, at + 100);
      await writeFile(path, bytes);
      return block;
    }
  }
  throw new Error('no block of the disk was found in any pack');
}
