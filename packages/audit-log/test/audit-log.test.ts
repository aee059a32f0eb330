import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock, seededRandom } from '@onevault/base/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuditLog, openAuditLog, verifyAuditLog } from '../src/index.ts';
import { auditEntry } from '../testing/index.ts';

let directory = '';
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'onevault-audit-')), 'audit');
});
afterEach(() => rm(join(directory, '..'), { recursive: true }));

function openLog(segmentBytes = 16 * 1024 * 1024): Promise<AuditLog> {
  return openAuditLog({ directory, clock: new FakeClock(), segmentBytes });
}

async function write(count: number, segmentBytes?: number): Promise<void> {
  await using log = await openLog(segmentBytes);
  for (let i = 0; i < count; i++) await log.append(auditEntry({ object: `point ${i}` }));
}

async function files(): Promise<string[]> {
  return (await readdir(directory)).sort().map((name) => join(directory, name));
}

describe('the audit log', () => {
  it('goes on where it ended, over openings and files', async () => {
    await write(5, 500);
    await write(5, 500);
    expect((await files()).length).toBeGreaterThan(1);
    expect(await verifyAuditLog(directory)).toMatchObject({ records: 10, firstBreak: undefined, head: { seq: 10 } });
  });

  it('is read newest first, in pages, and by what a record says', async () => {
    await write(7, 500);
    await using log = await openLog(500);
    const page = await log.read({ limit: 3 });
    expect(page.map(({ seq }) => seq)).toEqual([7, 6, 5]);
    expect((await log.read({ limit: 3, beforeSeq: 5 })).map(({ seq }) => seq)).toEqual([4, 3, 2]);
    expect((await log.read({ limit: 9, matches: ({ object }) => object === 'point 2' })).map(({ seq }) => seq)).toEqual([3]);
  });

  it('writes what is said at the same time in the order it was said', async () => {
    await using log = await openLog();
    const records = await Promise.all(Array.from({ length: 50 }, (_, i) => log.append(auditEntry({ object: `point ${i}` }))));
    expect(records.map(({ seq, object }) => `${seq} ${object}`)).toEqual(records.map((_, i) => `${i + 1} point ${i}`));
    expect(await verifyAuditLog(directory)).toMatchObject({ records: 50, firstBreak: undefined });
  });

  it('refuses what it could not read again, and goes on', async () => {
    await using log = await openLog();
    const refused = log.append(auditEntry({ action: 'x'.repeat(200) }));
    const taken = log.append(auditEntry());
    await expect(refused).rejects.toThrow();
    expect((await taken).seq).toBe(1);
    expect(await verifyAuditLog(directory)).toMatchObject({ records: 1, firstBreak: undefined });
  });

  it('sets a torn record aside and says so', async () => {
    await write(3);
    const [file = ''] = await files();
    const whole = await readFile(file, 'utf8');
    const lastLine = whole.trimEnd().lastIndexOf('\n') + 1;
    for (let cut = lastLine + 1; cut < whole.length; cut += 37) {
      await writeFile(file, whole);
      await truncate(file, cut);
      await using log = await openLog();
      const [newest] = await log.read({ limit: 1 });
      expect(newest).toMatchObject({ seq: 3, action: 'audit.torn' });
      expect(await readFile(newest?.object ?? '', 'utf8')).toBe(whole.slice(lastLine, cut));
    }
    expect(await verifyAuditLog(directory)).toMatchObject({ firstBreak: undefined });
  });

  it.each([
    ['right after a new file was begun', ''],
    ['within the first record of a new file', '{"seq":4,"ti'],
  ])('goes on with the chain after a crash %s', async (_title, content) => {
    await write(3);
    await writeFile(join(directory, 'audit-000000000004.jsonl'), content);
    await write(2);
    expect(await verifyAuditLog(directory)).toMatchObject({ firstBreak: undefined, records: content === '' ? 5 : 6 });
  });

  it('stops when somebody else writes to it', async () => {
    await using log = await openLog();
    await log.append(auditEntry());
    const [file = ''] = await files();
    await appendFile(file, 'mine\n');
    await expect(log.append(auditEntry())).rejects.toMatchObject({ code: 'AUDIT_FOREIGN_WRITER' });
    await expect(log.append(auditEntry())).rejects.toMatchObject({ code: 'AUDIT_FOREIGN_WRITER' });
  });

  it('does not go on behind a last line that was changed', async () => {
    await write(2);
    const [file = ''] = await files();
    await writeFile(file, (await readFile(file, 'utf8')).replace('point 1', 'point 9'));
    await expect(openLog()).rejects.toMatchObject({ code: 'AUDIT_DAMAGED' });
  });

  it('after it was closed takes nothing', async () => {
    const log = await openLog();
    await log[Symbol.asyncDispose]();
    await expect(log.append(auditEntry())).rejects.toMatchObject({ code: 'AUDIT_WRITE_FAILED' });
  });
});

describe('verifying the audit log', () => {
  it.each([
    ['a record that was changed', (lines: string[]) => lines.with(4, lines[4]?.replace('alice', 'mallory') ?? ''), 5],
    ['a record that was taken out', (lines: string[]) => lines.toSpliced(4, 1), 5],
    ['a record that was put in twice', (lines: string[]) => lines.toSpliced(4, 0, lines[4] ?? ''), 6],
    ['two that were exchanged', (lines: string[]) => lines.with(3, lines[4] ?? '').with(4, lines[3] ?? ''), 4],
    ['a line that is none', (lines: string[]) => lines.toSpliced(2, 0, 'hello'), 3],
  ])('finds %s', async (_title, tamper, line) => {
    await write(8);
    const [file = ''] = await files();
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    await writeFile(file, `${tamper(lines).join('\n')}\n`);
    expect((await verifyAuditLog(directory)).firstBreak).toMatchObject({ path: file, line });
  });

  it('finds a file that was taken away', async () => {
    await write(12, 500);
    const [, second = ''] = await files();
    await rm(second);
    expect((await verifyAuditLog(directory)).firstBreak).toMatchObject({ line: 1, kind: 'out-of-order' });
  });

  it('finds what was cut off at the end, or written anew as a whole, by the head that somebody still knows', async () => {
    await using log = await openLog(500);
    expect(log.head()).toBeUndefined();
    for (let i = 0; i < 12; i++) await log.append(auditEntry({ object: `point ${i}` }));
    const head = log.head();
    expect(head?.seq).toBe(12);
    expect((await verifyAuditLog(directory, { head })).firstBreak).toBeUndefined();
    const all = await files();
    const last = all.at(-1) ?? '';
    const lines = (await readFile(last, 'utf8')).trimEnd().split('\n');
    await writeFile(
      last,
      lines
        .slice(0, -1)
        .map((line) => `${line}\n`)
        .join(''),
    );
    expect((await verifyAuditLog(directory, { head })).firstBreak).toMatchObject({ kind: 'cut-off', line: lines.length });
    await rm(last);
    expect((await verifyAuditLog(directory, { head })).firstBreak).toMatchObject({ kind: 'cut-off', path: all.at(-2) });
    for (const file of all) await rm(file, { force: true });
    expect((await verifyAuditLog(directory, { head })).firstBreak).toEqual({ kind: 'cut-off', path: directory, line: 1 });
    await write(12, 500);
    expect((await verifyAuditLog(directory, { head: { seq: 12, hash: '0'.repeat(64) } })).firstBreak).toMatchObject({ kind: 'out-of-order' });
  });

  it('finds every change of a single byte', async () => {
    await write(3);
    const [file = ''] = await files();
    const whole = await readFile(file);
    const random = seededRandom(20261127);
    for (let i = 0; i < 60; i++) {
      const at = Math.floor(random.next() * (whole.length - 1));
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ (1 << Math.floor(random.next() * 8));
      await writeFile(file, changed);
      const verdict = await verifyAuditLog(directory);
      expect(verdict.firstBreak !== undefined || verdict.records < 3, `byte ${at}`).toBe(true);
    }
  });

  it('has nothing to say of a log that is not there', async () => {
    expect(await verifyAuditLog(join(directory, 'none'))).toEqual({ records: 0, firstBreak: undefined, head: undefined });
  });
});
