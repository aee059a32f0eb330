/** One stage of `gc.mjs` in a process of its own, so that its peak of memory is its own. */
import { createHash } from 'node:crypto';
import { createRepository, fileStore, openRepository } from '@onevault/backup-format';
import { systemClock } from '@onevault/base';
import { measureSelf, using } from '../measure/self.mjs';

const BLOCK_BYTES = 65_536;
const POINTS = 10;
const deps = { clock: systemClock };
const STAGES = { build, condemn: collect, delete: collect };

await measureSelf((task) => STAGES[task.stage](task, fileStore(task.dir)));

/** Ten restore points of chunks of their own; the last one shares a third of the first one's. Then the first and the second are forgotten: packs that are sparse, packs that are dead. */
async function build({ chunks }, store) {
  const each = Math.floor(chunks / POINTS);
  await using(await createRepository(store, { digest: 'sha256', blockSizeBytes: BLOCK_BYTES, compressionLevel: 1 }, deps), async (repository) => {
    const ids = [];
    for (let point = 0; point < POINTS; point++) {
      const shared = point === POINTS - 1 ? Math.floor(each / 3) : 0;
      ids.push(await backUp(repository, `vm-${point}`, [...range(point * each, each), ...range(0, shared)]));
    }
    for (const id of ids.slice(0, 2)) await repository.forgetPoint(id, { evenLast: true });
  });
  return {};
}

function* range(from, count) {
  for (let n = 0; n < count; n++) yield from + n;
}

async function backUp(repository, group, numbers) {
  const writer = await repository.begin({ group, runId: 'bench', capturedAt: '2026-11-22T19:00:00Z', mode: 'full' });
  return using(writer, async () => {
    await writer.writeDisk({ key: 'disk-0', sizeBytes: numbers.length * BLOCK_BYTES }, blocks(numbers));
    return (await writer.commit({ annotations: {} })).id;
  });
}

/** Blocks that differ in 8 bytes: their chunks take about 40. */
async function* blocks(numbers) {
  for (const [index, number] of numbers.entries()) {
    const data = Buffer.alloc(BLOCK_BYTES);
    data.writeDoubleLE(number + 1, 0);
    yield { kind: 'changed', index, digest: createHash('sha256').update(data).digest(), data };
  }
}

async function collect(_task, store) {
  return using(await openRepository(store, deps), async (repository) => {
    const { chunks, before, after, deleted, condemned, repacked } = await repository.collectGarbage({ graceMs: 0 });
    return { gc: { chunks, before, after, deleted, condemned, repacked } };
  });
}
