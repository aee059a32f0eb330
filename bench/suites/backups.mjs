import { rm } from 'node:fs/promises';
import { guestWrites } from '../disk/guest-writes.mjs';
import { directoryBytes } from '../measure/directory-bytes.mjs';
import { dropPageCache, warmPageCache } from '../measure/page-cache.mjs';
import { runPlain } from '../measure/run.mjs';

const SUITES = ['full', 'incremental', 'restore', 'verify'];

/**
 * Full, incremental, restore and verify of all tools, in turn within each round. The incrementals build on one another: before each round a guest
 * writes to the disk, and every tool backs up the same state.
 */
export async function measureBackups(context) {
  if (!SUITES.some((suite) => context.only.has(suite))) return [];
  const tools = [context.ours, ...Object.values(context.peers).filter((peer) => peer !== undefined)];
  const run = { ...context, tools };
  const rows = await fullBackups(run);
  if (!context.only.has('full')) rows.length = 0; // taken only because the others stand on it
  let image = context.image;
  if (context.only.has('incremental')) {
    image = `${context.work}/disk.img`;
    await runPlain('cp', ['--sparse=always', context.image, image]);
    rows.push(...(await incrementals({ ...run, image })));
  }
  if (context.only.has('restore')) rows.push(...(await restores({ ...run, image })));
  if (context.only.has('verify')) rows.push(...(await verifies(run)));
  return rows;
}

async function fullBackups(run) {
  const rounds = run.only.has('full') ? run.rounds : 1;
  const taken = await inTurn(run, rounds, 'full backup', async (tool) => {
    await tool.create();
    await dropPageCache();
    return tool.full(run.image);
  });
  return [...compared(run, 'full backup', taken), ...(await repositorySizes(run, 'repository, full')), ...ownFigures('full backup', taken)];
}

async function incrementals(run) {
  const { image, rounds, changed, scattered, note } = run;
  const taken = new Map();
  for (let round = 0; round < rounds; round += 1) {
    const { writtenBytes, touchedMiB } = await guestWrites(image, { fraction: changed, round, scattered });
    note(`guest wrote ${(writtenBytes / 2 ** 20).toFixed(0)} MiB, which touches ${touchedMiB} blocks of 1 MiB`);
    const once = await inTurn(run, 1, 'incremental', async (tool) => {
      await warmPageCache(image);
      return tool.incremental(image);
    });
    for (const [name, results] of once) taken.set(name, [...(taken.get(name) ?? []), ...results]);
  }
  const size = await repositorySizes(run, 'repository, all points');
  return [...compared(run, 'incremental', taken), ...size, ...ownFigures('incremental', taken)];
}

async function restores(run) {
  const target = `${run.work}/restored.img`;
  const taken = await inTurn(run, run.rounds, 'restore', async (tool) => {
    await rm(target, { force: true });
    await dropPageCache();
    const measured = await tool.restore(run.image, target);
    await runPlain('cmp', [run.image, target]);
    return measured;
  });
  await rm(target, { force: true });
  return [...compared(run, 'restore to a file', taken), ...ownFigures('restore to a file', taken)];
}

async function verifies(run) {
  const taken = await inTurn(run, run.rounds, 'verify all', async (tool) => {
    await dropPageCache();
    return tool.verify();
  });
  return [...compared(run, 'verify all', taken), ...ownFigures('verify all', taken)];
}

/** Every tool once per round, so that what the machine does meanwhile meets all of them. */
async function inTurn({ tools, note }, rounds, title, work) {
  const taken = new Map(tools.map((tool) => [tool.name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const tool of tools) {
      const measured = await work(tool);
      taken.get(tool.name).push(measured);
      note(`${title}, ${tool.name}: ${measured.seconds.toFixed(1)} s, ${(measured.peakBytes / 2 ** 20).toFixed(0)} MiB of memory`);
    }
  }
  return taken;
}

/** One row a peer, also for one that is not there. */
function compared({ ours, peers, size }, measure, taken) {
  const seconds = (name) => (taken.get(name) ?? []).map((measured) => measured.seconds);
  return Object.keys(peers).map((peer) => ({
    measure,
    kind: 'seconds',
    bytes: size,
    ours: seconds(ours.name),
    peer,
    theirs: seconds(peer),
    absent: absence(peers, peer),
  }));
}

async function repositorySizes({ ours, peers }, measure) {
  const own = await directoryBytes(ours.repository);
  const rows = [];
  for (const [name, peer] of Object.entries(peers)) {
    const theirs = peer === undefined ? [] : [await directoryBytes(peer.repository)];
    rows.push({ measure, kind: 'bytes', ours: [own], peer: name, theirs, absent: absence(peers, name) });
  }
  return rows;
}

function ownFigures(measure, taken) {
  const results = taken.get('onevault');
  return [
    { measure: `${measure}: peak memory`, kind: 'memory', ours: results.map((measured) => measured.peakBytes) },
    { measure: `${measure}: loop delay p99`, kind: 'milliseconds', ours: results.map((measured) => measured.loopDelayP99Ms) },
  ];
}

function absence(peers, name) {
  return peers[name] === undefined ? `${name} is not installed` : undefined;
}
