import { open } from 'node:fs/promises';
import { keystream } from './keystream.mjs';
import { textStream } from './text.mjs';

const PAGE_BYTES = 16 << 10;
/** A database stores neighbouring pages in extents; which of them are hot has little to do with where they lie. */
const EXTENT_PAGES = 64;
const POOL_PAGES = 4096;
/** Of a page 10 KiB are rows that compress to a third, the rest does not compress. */
const TEXT_BYTES = 10 << 10;
const LAYOUT = { tables: 0.75, log: 1 / 16 };

/**
 * The disk of a database server, `sizeBytes` long: tables in pages of 16 KiB (three quarters), a redo log written in a circle (a sixteenth), and zeros.
 * No two pages are alike.
 */
export async function databaseDisk(path, sizeBytes) {
  const disk = await DatabaseDisk.open(path, 'w', sizeBytes);
  try {
    await disk.fill();
  } finally {
    await disk.close();
  }
}

/**
 * A day of the database in place: `writes` writes of one page. Of twenty, eighteen update a page of the tables chosen by Zipf's law (`skew`), one appends to
 * the end of one of eight tables, one writes the log. `locality` says where the often updated pages lie: `extents` together in extents of 1 MiB,
 * `scattered` each on its own.
 */
export async function databaseDay(path, { sizeBytes, writes, skew, locality }) {
  const disk = await DatabaseDisk.open(path, 'r+', sizeBytes);
  try {
    return await disk.day(writes, skew, locality);
  } finally {
    await disk.close();
  }
}

class DatabaseDisk {
  #file;
  #pages;
  #logPages;
  #pool;
  #version = 0n;

  static async open(path, mode, sizeBytes) {
    const file = await open(path, mode);
    if (mode === 'w') await file.truncate(sizeBytes);
    const disk = new DatabaseDisk();
    disk.#file = file;
    disk.#pages = Math.floor((sizeBytes * LAYOUT.tables) / PAGE_BYTES);
    disk.#logPages = Math.floor((sizeBytes * LAYOUT.log) / PAGE_BYTES);
    disk.#pool = pagePool(mode);
    disk.#version = mode === 'w' ? 0n : 1n << 40n;
    return disk;
  }

  close() {
    return this.#file.close();
  }

  async fill() {
    const batch = 256;
    const total = this.#pages + this.#logPages;
    for (let page = 0; page < total; page += batch) {
      const parts = Array.from({ length: Math.min(batch, total - page) }, (_, n) => Buffer.from(this.#content(page + n)));
      await this.#file.writev(parts, page * PAGE_BYTES);
    }
    await this.#file.sync();
  }

  async day(writes, skew, locality) {
    // Two days on the same disk write different pages, also where they write to the same place.
    this.#version += locality === 'scattered' ? 1n << 32n : 0n;
    const random = generator(7);
    const rank = zipf(this.#pages, skew, random);
    const place = locality === 'scattered' ? permutation(this.#pages, 1, random) : permutation(this.#pages, EXTENT_PAGES, random);
    const tails = Array.from({ length: 8 }, (_, n) => Math.floor((this.#pages * n) / 8));
    const touched = new Set();
    let logAt = 0;
    for (let n = 0; n < writes; n += 1) {
      let page;
      if (n % 20 < 18) page = place[rank()];
      else if (n % 20 < 19) page = tails[random() % 8]++ % this.#pages;
      else page = this.#pages + (logAt++ % this.#logPages);
      touched.add(page);
      await this.#file.write(this.#content(page + n), 0, PAGE_BYTES, page * PAGE_BYTES);
    }
    await this.#file.sync();
    const blocks = (bytes) => new Set([...touched].map((page) => Math.floor((page * PAGE_BYTES) / bytes))).size;
    return { touchedPages: touched.size, touchedBlocks: blocks };
  }

  /** A page that was never written before. */
  #content(n) {
    const at = (n % POOL_PAGES) * PAGE_BYTES;
    this.#pool.writeBigUInt64LE(++this.#version, at);
    this.#pool.writeBigUInt64LE((this.#version * 0x9e3779b97f4a7c15n) & 0xffff_ffff_ffff_ffffn, at + TEXT_BYTES);
    return this.#pool.subarray(at, at + PAGE_BYTES);
  }
}

function pagePool(seed) {
  const [noise, text] = [keystream(`pages ${seed}`), textStream(`rows ${seed}`)];
  return Buffer.concat(Array.from({ length: POOL_PAGES }, () => [text.bytes(TEXT_BYTES), noise.bytes(PAGE_BYTES - TEXT_BYTES)]).flat());
}

/** Numbers of 32 bits (xorshift): a day takes a million of them. */
function generator(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Ranks from 0: rank r comes up in proportion to 1 / (r + 1)^skew. */
function zipf(count, skew, random) {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let r = 0; r < count; r += 1) sums[r] = sum += 1 / (r + 1) ** skew;
  return () => {
    const wanted = (random() / 2 ** 32) * sum;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** Every number below `count` once, in chance order of groups of `group` neighbours. */
function permutation(count, group, random) {
  const groups = Array.from({ length: Math.floor(count / group) }, (_, n) => n);
  for (let n = groups.length - 1; n > 0; n -= 1) {
    const other = random() % (n + 1);
    [groups[n], groups[other]] = [groups[other], groups[n]];
  }
  const places = new Uint32Array(count);
  for (let n = 0; n < count; n += 1) places[n] = n < groups.length * group ? groups[Math.floor(n / group)] * group + (n % group) : n;
  return places;
}
