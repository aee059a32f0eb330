/** One stage of `index.mjs` in a process of its own, so that its peak of memory is its own. */
import { fileStore } from '@onevault/backup-format';
import { mergeSyntheticIndex, openSyntheticIndex, syntheticDigest, writeSyntheticIndex } from '@onevault/backup-format/testing';
import { measureSelf } from '../measure/self.mjs';

const STAGES = { build, merge, open, present, absent };

await measureSelf((task) => STAGES[task.stage](task, fileStore(task.dir)));

async function build({ entries, tables }, store) {
  await writeSyntheticIndex(store, entries, tables);
  return {};
}

async function merge(_task, store) {
  return mergeSyntheticIndex(store);
}

async function open(_task, store) {
  const index = openSyntheticIndex(store);
  await index.reload();
  return { tables: index.tables.length, entries: index.tables.map(({ footer }) => footer.entries) };
}

/** Chunks that are there, each looked up once: `rates` in lookups a second. */
async function present({ entries, lookups, concurrency }, store) {
  const index = openSyntheticIndex(store);
  await index.reload();
  const pick = picker(entries);
  const find = async () => {
    if (!(await index.find(syntheticDigest(pick(), entries)))) throw new Error('a chunk of the index was not found');
  };
  return { rate: await rateOf(find, lookups, concurrency) };
}

/** Chunks that are not there: first page by page, then, once the filters are made, with them. */
async function absent({ entries, lookups, concurrency }, store) {
  const index = openSyntheticIndex(store);
  await index.reload();
  const pick = picker(entries);
  const find = async () => {
    if (await index.find(syntheticDigest(pick(), entries, 1))) throw new Error('a chunk was found that is not in the index');
  };
  const byPages = await rateOf(find, Math.min(lookups, 5000), concurrency);
  // A filter is made after one lookup in vain for 16 pages, one filter at a time.
  const until = Math.max(...index.tables.map(({ footer }) => footer.entryPages)) / 16;
  await rateOf(find, Math.max(0, Math.ceil(until) - 5000), concurrency);
  const started = performance.now();
  for (let n = 0; n < index.tables.length; n += 1) {
    await index.filters.idle();
    await rateOf(find, 100, 1);
  }
  const filterSeconds = (performance.now() - started) / 1000;
  return { byPages, filterSeconds, byFilter: await rateOf(find, 50 * lookups, concurrency) };
}

async function rateOf(find, count, concurrency) {
  const started = performance.now();
  let left = count;
  const worker = async () => {
    while (left-- > 0) await find();
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return count / ((performance.now() - started) / 1000);
}

/** Numbers below `limit`, none twice within millions: steps by a large odd number. */
function picker(limit) {
  const step = Math.floor(limit * 0.6180339887) | 1;
  let at = Math.floor(Math.random() * limit);
  return () => {
    at = (at + step) % limit;
    return at;
  };
}
