import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { backupVm, type CloudObject, findLeftovers, type JournalRecord, recoverRuns } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectRestores } from '../support/aftermath.ts';
import { HURRY, makeWorld, type World } from '../support/world.ts';

const PROGRAM = fileURLToPath(new URL('../support/job-process.mjs', import.meta.url));

/** kill -9 right after each record of the journal: what dies between two lines there dies here. */
describe('a run whose process is killed', () => {
  let world: World;
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 1 }] });
    await world.sim.control.setTimes({ snapshot: 20, saveas: 20, attach: 20, detach: 20, snapshotDelete: 20, delete: 20, allocate: 20, boot: 20 });
    await mkdir(world.journalPath, { recursive: true });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  function start(kind: 'backup' | 'restore', request: object): ChildProcess {
    const job = {
      kind,
      request,
      hurry: HURRY,
      endpoint: world.sim.endpoint.href,
      session: `${world.sim.user}:${world.sim.password}`,
      proxyVm: world.proxyVm,
      proxyRoot: join(world.sim.dir, 'proxy', String(world.proxyVm)),
      repositoryPath: world.repositoryPath,
      journalPath: world.journalPath,
    };
    return spawn(process.execPath, [PROGRAM, JSON.stringify(job)], { stdio: ['ignore', 'inherit', 'inherit'] });
  }

  /** Kills the process as soon as its journal has `count` records. Answers the journal as it lies there, or undefined when the run was over before. */
  async function killedAfter(count: number, kind: 'backup' | 'restore', request: object): Promise<readonly JournalRecord[] | undefined> {
    const watcher = watch(world.journalPath);
    const child = start(kind, request);
    const exited = once(child, 'exit');
    const killWhenThere = async (): Promise<void> => {
      if ((await records()).length >= count) child.kill('SIGKILL');
    };
    watcher.on('change', () => void killWhenThere());
    const [code, signal] = await exited;
    watcher.close();
    await world.cloud.version(); // what the dead process had sent is being worked on by now
    await world.sim.control.idle();
    const journal = await records();
    if (signal === 'SIGKILL' && journal.length > 0) return journal;
    expect(signal ?? code, 'a run that was over, and was killed only while its process ended, if at all').toBe(signal === null ? 0 : 'SIGKILL');
    return undefined;
  }

  async function records(): Promise<readonly JournalRecord[]> {
    const [name] = (await readdir(world.journalPath)).filter((entry) => entry.endsWith('.jsonl'));
    const text = name === undefined ? '' : await readFile(join(world.journalPath, name), 'utf8').catch(() => '');
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
  }

  /** What the journals name and what is there agree; then `recover` takes it away, and says so. */
  async function expectRecovered(restored: string): Promise<readonly CloudObject[]> {
    const found = await findLeftovers(world.cloud, world.journals);
    const left = new Set([...(await world.leftovers()), ...(await world.sim.control.leftovers(restored)).map(({ kind, name }) => `${kind} ${name}`)]);
    // An attached disk also goes by the name of its image; it is told by its serial.
    const there = [...left].filter((entry) => !(entry.startsWith('disk ') && !entry.startsWith('disk ov-'))).sort();
    expect(found.map(({ object }) => nameOf(object)).sort()).toEqual(there);
    const { runs } = await recoverRuns(world.deps());
    expect(runs.map(({ outcome }) => outcome)).toEqual(['recovered']);
    expect(runs.flatMap(({ removed }) => removed.map(({ object }) => nameOf(object))).sort()).toEqual(there);
    expect(await world.leftovers()).toEqual([]);
    expect(await world.sim.control.leftovers(restored)).toEqual([]);
    expect(await world.unfinishedRuns()).toEqual([]);
    return found.map(({ object }) => object);
  }

  it('in a backup: what is left is known by name and taken away, the next backup works, the repository is whole', { timeout: 180_000 }, async () => {
    const kinds = new Set<string>();
    let count = 1;
    for (; ; count++) {
      await world.sim.control.writeRandom(world.vm, 0, { seed: count, count: 2, blockBytes: 4096 });
      const journal = await killedAfter(count, 'backup', world.backupRequest());
      if (journal === undefined) break;
      for (const { kind } of await expectRecovered('killed-')) kinds.add(kind);
      const bytes = await world.diskBytes(world.vm, 0);
      const { pointId, residue } = await backupVm(world.deps(), world.backupRequest());
      expect(residue).toEqual([]);
      if (count % 4 === 0) await expectRestores(world, { pointId, disks: [{ diskId: 0, bytes }] });
    }
    expect(count, 'records of a whole run').toBeGreaterThan(8);
    expect([...kinds].sort()).toEqual(['attachment', 'image', 'snapshot']);
    expect((await world.verify()).damaged).toBe(0);
  });

  it('in a restore: no half VM that nobody knows of', { timeout: 180_000 }, async () => {
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    const kinds = new Set<string>();
    let count = 1;
    for (; ; count++) {
      const name = `killed-${count}-`;
      const journal = await killedAfter(count, 'restore', world.restoreRequest(pointId, { name }));
      if (journal === undefined) break;
      // Once the run has written down that they stay, the VM and its images are its product.
      const isKept = journal.some((record) => record.type === 'kept');
      for (const { kind } of await expectRecovered(isKept ? 'none-' : name)) kinds.add(kind);
    }
    expect(count, 'records of a whole run').toBeGreaterThan(8);
    expect([...kinds].sort()).toEqual(['attachment', 'image', 'template', 'vm']);
    expect((await world.verify()).damaged).toBe(0);
  });
});

function nameOf(object: CloudObject): string {
  if (object.kind === 'attachment') return `disk ${object.serial}`;
  return 'name' in object ? `${object.kind} ${object.name}` : object.kind;
}
