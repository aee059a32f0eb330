import { appendFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CloudObject, fileJournals, type JournalRecord } from '../src/index.ts';
import { isValidName, newRunId } from '../src/names.ts';
import { groupOf } from '../src/restore-point.ts';
import { buildVm } from '../testing/index.ts';

const time = '2026-11-22T18:43:34.000Z';
const object: CloudObject = { kind: 'snapshot', vmId: 6, diskId: 0, name: 'onevault-r1-vm6-disk0' };
const records: JournalRecord[] = [
  { type: 'run', time, runId: 'r1', kind: 'backup', endpoint: 'http://one/RPC2', owner: 'host 1 2', about: 'VM 6 web' },
  { type: 'intent', time, step: 1, object },
  { type: 'done', time, step: 1, id: 3 },
];

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
    await using journal = await store.create('r1');
    await Promise.all(records.map((record) => journal.append(record)));
    expect(await unfinished()).toEqual([{ runId: 'r1', records }]);
  });

  it('are gone when the run has nothing left to undo', async () => {
    const journal = await fileJournals({ directory }).create('r1');
    await journal.append(records[0] as JournalRecord);
    await journal.finish();
    expect(await readdir(directory)).toEqual([]);
  });

  it('lose nothing but the torn last line when the process dies while writing', async () => {
    const journal = await fileJournals({ directory }).create('r1');
    for (const record of records) await journal.append(record);
    await journal[Symbol.asyncDispose]();
    await appendFile(join(directory, 'r1.jsonl'), '{"type":"undone","time":"2026');
    expect((await unfinished())[0]?.records).toEqual(records);
  });

  it('lose no other record to one that was torn by a full disk', async () => {
    await using journal = await fileJournals({ directory }).create('r1');
    const [run, intent, done] = records as [JournalRecord, JournalRecord, JournalRecord];
    await journal.append(run);
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
    await using journal = await fileJournals({ directory }).create('r1');
    await journal.append(kept);
    expect((await unfinished())[0]?.records).toEqual([kept]);
  });

  it('make their directory when it is not there', async () => {
    const deep = join(directory, 'state', 'journals');
    await using journal = await fileJournals({ directory: deep }).create('r1');
    await journal.append(records[0] as JournalRecord);
    expect(await readdir(deep)).toEqual(['r1.jsonl']);
  });

  it('are listed oldest first; other files are not ours', async () => {
    for (const name of ['20260102t000000-b.jsonl', '20260101t000000-a.jsonl', 'notes.txt']) await writeFile(join(directory, name), '');
    expect((await unfinished()).map((journal) => journal.runId)).toEqual(['20260101t000000-a', '20260102t000000-b']);
  });

  it('a state directory that cannot be written stops the run before anything is done', async () => {
    const file = join(directory, 'file');
    await writeFile(file, '');
    await expect(fileJournals({ directory: join(file, 'runs') }).create('r1')).rejects.toMatchObject({ code: 'JOB_JOURNAL_FAILED' });
  });

  it('know a living owner from a dead one and from a pid that came again', async () => {
    const store = fileJournals({ directory });
    const [host, pid, start] = store.owner.split(' ');
    expect(await store.isAlive(store.owner)).toBe(true);
    expect(await store.isAlive(`${host} ${pid} ${Number(start) + 1}`)).toBe(false);
    expect(await store.isAlive(`${host} 4194304 1`)).toBe(false);
    expect(await store.isAlive('another-host 1 1')).toBe(true);
  });
});

describe('names', () => {
  it('run ids sort by time and fit every OpenNebula name', () => {
    const id = newRunId(new Date(time), (length) => new Uint8Array(length).fill(255));
    expect(id).toBe('20261122t184334-333333');
    expect(isValidName(`onevault-${id}-vm123456-disk99`)).toBe(true);
  });

  it.each(['', 'a:b', 'a/b', "it's", 'a\nb', 'x'.repeat(129)])('%j is no OpenNebula name', (name) => expect(isValidName(name)).toBe(false));

  it('groups follow the VM, not its name, and another VM with the same id is another group', () => {
    const vm = buildVm();
    expect(groupOf({ ...vm })).toBe(groupOf(buildVm({ name: 'renamed' })));
    expect(groupOf(buildVm({ startTime: vm.startTime + 1 }))).not.toBe(groupOf(vm));
    expect(groupOf(vm)).toMatch(/^vm-6-[0-9a-f]{12}$/);
  });
});
