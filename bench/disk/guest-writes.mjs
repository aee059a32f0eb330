import { open } from 'node:fs/promises';
import { keystream, randomNumbers } from './keystream.mjs';
import { textStream } from './text.mjs';

const KIB = 1024;
const PAGE = 4 * KIB;
/** Writes of a guest fall near one another: databases, logs and journals have their places. */
const HOT_AREA_BYTES = 8 << 20;

/**
 * Overwrites `fraction` of the disk's bytes in place, in writes of 4 to 64 KiB at 4 KiB positions, half incompressible and half text; the same
 * round gives the same bytes. With `scattered` every write falls anywhere on the disk; without, into areas of 8 MiB that are then half overwritten.
 */
export async function guestWrites(path, { fraction, round, scattered }) {
  const random = randomNumbers(`writes of round ${round}`);
  const contents = [keystream(`random of round ${round}`), textStream(`text of round ${round}`)];
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    const goal = Math.floor(size * fraction);
    const touched = new Set();
    let written = 0;
    while (written < goal) {
      const area = scattered ? { start: 0, length: size, goal } : hotArea(random, size, goal - written);
      for (let inArea = 0; inArea < area.goal; ) {
        const length = PAGE * (1 + random.below(16));
        const offset = area.start + PAGE * random.below(Math.max(1, Math.floor((area.length - length) / PAGE)));
        await file.write(contents[random.below(2)].bytes(length), 0, length, offset);
        for (let block = Math.floor(offset / (1 << 20)); block * (1 << 20) < offset + length; block += 1) touched.add(block);
        inArea += length;
        written += length;
      }
    }
    await file.sync();
    return { writtenBytes: written, touchedMiB: touched.size };
  } finally {
    await file.close();
  }
}

function hotArea(random, sizeBytes, leftBytes) {
  const length = Math.min(HOT_AREA_BYTES, sizeBytes);
  const start = PAGE * random.below(Math.max(1, Math.floor((sizeBytes - length) / PAGE)));
  return { start, length, goal: Math.min(length / 2, leftBytes) };
}
