import { open } from 'node:fs/promises';
import { randomNumbers } from './keystream.mjs';
import { textStream } from './text.mjs';

const PAGE = 4096;
const SMALLEST = 64 * 1024;
const LARGEST = 4 << 20;

/**
 * A sparse file of `sizeBytes` in which about `fraction` of the bytes are text, in extents of 64 KiB to 4 MiB scattered evenly over all of it. Returns its
 * real size, which is a page less than asked for where the file system ends there (ext4: 16 TiB - 4 KiB), and the extents in order, apart from one another.
 */
export async function sparseDisk(path, sizeBytes, fraction) {
  const file = await open(path, 'wx');
  try {
    const size = await truncate(file, sizeBytes);
    const text = textStream('sparse disk');
    const extents = scatteredExtents(size, size * fraction);
    for (const { offset, length } of extents) await file.write(text.bytes(length), 0, length, offset);
    await file.sync();
    return { sizeBytes: size, extents };
  } finally {
    await file.close();
  }
}

async function truncate(file, sizeBytes) {
  try {
    await file.truncate(sizeBytes);
    return sizeBytes;
  } catch (error) {
    if (error.code !== 'EFBIG') throw error;
    await file.truncate(sizeBytes - PAGE);
    return sizeBytes - PAGE;
  }
}

/** One extent somewhere in each of as many equal parts of the disk as there are extents. */
function scatteredExtents(sizeBytes, dataBytes) {
  const random = randomNumbers('sparse extents');
  const lengths = [];
  for (let total = 0; total < dataBytes; total += lengths.at(-1)) lengths.push(pages(random.logUniform(SMALLEST, LARGEST)));
  const part = Math.floor(sizeBytes / lengths.length / PAGE) * PAGE;
  return lengths.map((wanted, index) => {
    const length = Math.min(wanted, part);
    return { offset: index * part + PAGE * random.below((part - length) / PAGE + 1), length };
  });
}

function pages(bytes) {
  return Math.ceil(bytes / PAGE) * PAGE;
}
