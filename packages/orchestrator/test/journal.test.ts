import { appendFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type ClaimedJournal,
  type ClaimOptions,
  type CloudObject,
  fileJournals,
  type JournalRecord,
  type ProcessIdentity,
  type Residue,
  type RunRecord,
} from '../src/index.ts';
import { captureName, isValidName, newRunId, parseCaptureName, parseTemplateName, runIdTime, templateName } from '../src/names.ts';
import { groupOf } from '../src/restore-point.ts';
import { buildVm } from '../testing/index.ts';

const time = '2026-11-22T18:43:34.000Z';
const object: CloudObject = { kind: 'snapshot', vmId: 6, diskId: 0, name: 'onevault-r1-vm6-disk0' };
const run: RunRecord = { type: 'run', time, runId: 'r1', kind: 'backup', endpoint: 'http://one/RPC2', owner: 'host 1 2', about: 'VM 6 web' };
const intent: JournalRecord = { type: 'intent', time, step: 1, object };
const done: JournalRecord = { type: 'done', time, step: 1, id: 3 };
const records: JournalRecord[] = [run, intent, done];

describe('journal files', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'onevault-journal-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const unfinished = async (): Promise<{ runId: string; records: readonly JournalRecord[] }[]> => {
    const all = [];
    for await (const journal of fileJournals({ directory }).unfinished()) all.push(journal);
    return all;
  };

  it('give back what was appended, in order, also when appends overlap', async () => {
    const store = fileJournals({ directory });
    await using journal = await store.create(run);
    await Promise.all([intent, done].map((record) => journal.append(record)));
    expect(await unfinished()).toEqual([{ runId: 'r1', records }]);
  });

  it('are gone when the run has nothing left to undo', async () => {
    const journal = await fileJournals({ directory }).create(run);
    await journal.finish();
    expect(await readdir(directory)).toEqual([]);
  });

  it('lose nothing but the torn last line when the process dies while writing', async () => {
    const journal = await fileJournals({ directory }).create(run);
    for (const record of [intent, done]) await journal.append(record);
    await journal[Symbol.asyncDispose]();
    await appendFile(join(directory, 'r1.jsonl'), '{"type":"undone","time":"2026');
    expect((await unfinished())[0]?.records).toEqual(records);
  });

  it('lose no other record to one that was torn by a full disk', async () => {
    await using journal = await fileJournals({ directory }).create(run);
    // A record that cannot be written as JSON stands for the disk that was full in the middle of a line.
    const circular: Record<string, unknown> = { ...intent };
    circular['self'] = circular;
    await expect(journal.append(circular as unknown as JournalRecord)).rejects.toMatchObject({ code: 'JOB_JOURNAL_FAILED' });
    await appendFile(join(directory, 'r1.jsonl'), '{"type":"intent","ti');
    await journal.append(intent);
    await journal.append(done);
    expect((await unfinished())[0]?.records).toEqual([run, intent, done]);
  });

  it('keep what stays in one record', async () => {
    const kept: JournalRecord = { type: 'kept', time, steps: [1, 2, 4] };
    await using journal = await fileJournals({ directory }).create(run);
    await journal.append(kept);
    expect((await unfinished())[0]?.records).toEqual([run, kept]);
  });

  it('make their directory when it is not there', async () => {
    const deep = join(directory, 'state', 'journals');
    await using _journal = await fileJournals({ directory: deep }).create(run);
    expect(await readdir(deep)).toEqual(['r1.jsonl']);
  });

  it('are listed oldest first; other files are not ours', async () => {
    for (const name of ['20260102t000000-b.jsonl', '20260101t000000-a.jsonl', 'notes.txt']) await writeFile(join(directory, name), '');
    expect((await unfinished()).map((journal) => journal.runId)).toEqual(['20260101t000000-a', '20260102t000000-b']);
  });

  it('a state directory that cannot be written stops the run before anything is done', async () => {
    const file = join(directory, 'file');
    await writeFile(file, '');
    await expect(fileJournals({ directory: join(file, 'runs') }).create(run)).rejects.toMatchObject({ code: 'JOB_JOURNAL_FAILED' });
  });

  it('know a living owner from a dead one and from a pid that came again', async () => {
    const store = fileJournals({ directory });
    const [host, pid, start, boot] = store.owner.split(' ');
    expect(await store.isAlive(store.owner)).toBe(true);
    expect(await store.isAlive(`${host} ${pid} ${start} ${boot}`)).toBe(true);
    expect(await store.isAlive(`${host} ${pid} ${start} another-boot`)).toBe(false);
    expect(await store.isAlive(`${host} ${pid} ${Number(start) + 1}`)).toBe(false);
    expect(await store.isAlive(`${host} 4194304 1`)).toBe(false);
    expect(await store.isAlive('another-host 1 1')).toBe(true);
  });
});

describe('a journal that was left', () => {
  let directory: string;
  const alive = new Set<string>();
  const processOf = (owner: string): ProcessIdentity => ({ owner, isAlive: async (other) => alive.has(other) });
  const storeOf = (owner: string) => fileJournals({ directory, identity: processOf(owner) });
  const claimed: ClaimedJournal[] = [];
  const claim = async (owner: string, options: ClaimOptions = {}): Promise<ClaimedJournal | undefined> => {
    const journal = await storeOf(owner).claim('r1', time, options);
    if (journal !== undefined) claimed.push(journal);
    return journal;
  };
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'onevault-journal-'));
    alive.clear();
    for (const owner of ['host 1 1', 'host 2 1', 'host 3 1']) alive.add(owner);
    const journal = await storeOf('host 1 1').create({ ...run, owner: 'host 1 1' });
    await journal.append(intent);
    await journal[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    for (const journal of claimed.splice(0)) await journal[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  it("is nobody else's while its run lives", async () => {
    expect(await claim('host 2 1')).toBeUndefined();
    alive.delete('host 1 1');
    expect(await claim('host 2 1')).toBeDefined();
  });

  it('goes to one of those who want it at once, and to none of the others as long as that one lives', async () => {
    alive.delete('host 1 1');
    for (let n = 4; n < 20; n++) alive.add(`host ${n} 1`);
    const claims = await Promise.all([...alive].map((owner) => claim(owner)));
    const held = claims.filter((claim) => claim !== undefined);
    expect(held).toHaveLength(1);
    expect(await claim('host 2 1')).toBeUndefined();
    await held[0]?.release(time);
    expect(await claim('host 2 1')).toBeDefined();
  });

  it('goes on where the one who died had stopped', async () => {
    alive.delete('host 1 1');
    const first = await claim('host 2 1');
    await first?.append({ type: 'undone', time, step: 1 });
    await first?.[Symbol.asyncDispose]();
    await appendFile(join(directory, 'r1.jsonl'), '{"type":"und');
    expect(await claim('host 3 1')).toBeUndefined();
    alive.delete('host 2 1');
    const second = await claim('host 3 1');
    expect(second?.records.filter((record) => record.type === 'undone')).toHaveLength(1);
    await second?.append(done);
    await second?.finish();
    expect(await readdir(directory)).toEqual([]);
  });

  it('is given up by a run that is over in a process that lives on', async () => {
    await using left = await storeOf('host 1 1').create({ ...run, runId: 'r2', owner: 'host 1 1' });
    await left.append({ type: 'released', time, claim: 'r2' });
    await using taken = await storeOf('host 1 1').claim('r2', time);
    expect(taken).toBeDefined();
  });

  it('of a host that is gone for good is taken over when somebody says so', async () => {
    expect(await claim('host 2 1', { isGone: (owner) => owner === 'host 1 1' })).toBeDefined();
  });

  it('says that it holds what this version does not understand', async () => {
    await appendFile(join(directory, 'r1.jsonl'), '{"type":"from-the-future"}\n');
    alive.delete('host 1 1');
    const claimedOne = await claim('host 2 1');
    expect(claimedOne?.records).toContainEqual({ type: 'unknown', line: '{"type":"from-the-future"}' });
  });

  it('keeps what had to stay, one file each, until it is forgotten', async () => {
    const { residue } = storeOf('host 2 1');
    const list = async (): Promise<Residue[]> => {
      const all = [];
      for await (const one of residue.list()) all.push(one);
      return all;
    };
    expect(await list()).toEqual([]);
    const one: Residue = { key: 'r1-1', runId: 'r1', endpoint: 'http://one/RPC2', object, id: 3, since: time, why: { code: 'ONE_ACTION', message: 'no' } };
    await residue.put({ ...one, key: 'r2-1', id: undefined });
    await residue.put(one);
    await residue.put({ ...one, why: { code: 'ONE_ACTION', message: 'still no' } });
    expect(await list()).toEqual([
      { ...one, why: { code: 'ONE_ACTION', message: 'still no' } },
      { ...one, key: 'r2-1', id: undefined },
    ]);
    await residue.forget('r1-1');
    await residue.forget('r1-1');
    expect((await list()).map(({ key }) => key)).toEqual(['r2-1']);
  });
});

describe('names', () => {
  it('run ids sort by time and fit every OpenNebula name', () => {
    const id = newRunId(new Date(time), (length) => new Uint8Array(length).fill(255));
    expect(id).toBe('20261122t184334-333333');
    expect(isValidName(`onevault-${id}-vm123456-disk99`)).toBe(true);
  });

  it('say what they were made of, and no other name does', () => {
    const id = newRunId(new Date(time), (length) => new Uint8Array(length).fill(255));
    expect(runIdTime(id)).toEqual(new Date(time));
    expect(parseCaptureName(captureName(id, 6, 0))).toEqual({ runId: id, vmId: 6, diskId: 0 });
    expect(parseTemplateName(templateName(id))).toBe(id);
    const captured = captureName(id, 6, 0);
    for (const tease of [
      `${captured}x`,
      ` ${captured}`,
      captured.toUpperCase(),
      captured.replace('disk0', 'disk00'),
      captured.replace('20261122', '20261322'),
      `onevault-${id}`,
    ])
      expect(parseCaptureName(tease), tease).toBeUndefined();
    for (const tease of [`${templateName(id)}s`, 'onevault-template', 'onevault-20261122t184334-short-template'])
      expect(parseTemplateName(tease), tease).toBeUndefined();
  });

  it.each(['', 'a:b', 'a/b', "it's", 'a\nb', 'x'.repeat(129)])('%j is no OpenNebula name', (name) => expect(isValidName(name)).toBe(false));

  it('groups follow the VM, not its name, and another VM with the same id is another group', () => {
    const vm = buildVm();
    expect(groupOf({ ...vm })).toBe(groupOf(buildVm({ name: 'renamed' })));
    expect(groupOf(buildVm({ startTime: vm.startTime + 1 }))).not.toBe(groupOf(vm));
    expect(groupOf(vm)).toMatch(/^vm-6-[0-9a-f]{12}$/);
  });
});
