import { open } from 'node:fs/promises';
import { keystream, randomNumbers } from './keystream.mjs';

const BLOCK_BYTES = 1 << 20;

/** Overwrites that part of the disk's blocks of 1 MiB, whole and anywhere, with incompressible bytes; the same round gives the same bytes. */
export async function overwriteBlocks(path, { fraction, round }) {
  const random = randomNumbers(`blocks of round ${round}`);
  const contents = keystream(`contents of round ${round}`);
  const file = await open(path, 'r+');
  try {
    const blocks = Math.floor((await file.stat()).size / BLOCK_BYTES);
    const chosen = new Set();
    while (chosen.size < Math.max(1, Math.round(blocks * fraction))) chosen.add(random.below(blocks));
    for (const block of chosen) await file.write(contents.bytes(BLOCK_BYTES), 0, BLOCK_BYTES, block * BLOCK_BYTES);
    await file.sync();
    return chosen.size * BLOCK_BYTES;
  } finally {
    await file.close();
  }
}
