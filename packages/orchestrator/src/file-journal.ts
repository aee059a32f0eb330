import { readFileSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type CallOptions, errorCode } from '@onevault/base';
import { JobError } from './errors.ts';
import type { Journal, JournalRecord, JournalStore } from './journal.ts';
import { parseJournalRecord } from './journal-record.ts';

export interface FileJournalOptions {
  /** One file a run, `<runId>.jsonl`, in this directory; created when missing. */
  readonly directory: string;
}

/** Journals as files of JSON lines: every append is fsynced before it returns, the directory too when a file comes or goes. */
export function fileJournals(options: FileJournalOptions): JournalStore {
  const directory = resolve(options.directory);
  return {
    owner: `${hostname()} ${process.pid} ${processStart('self') ?? 0}`,
    create: (runId) => createJournal(directory, runId),
    unfinished: (call) => unfinishedJournals(directory, call),
    isAlive,
  };
}

async function createJournal(directory: string, runId: string): Promise<Journal> {
  const path = join(directory, `${runId}.jsonl`);
  const file = await attempt('create the journal', path, () => createDurably(directory, path));
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await file.close();
  };
  // Appends queue up: two disks at work must not interleave their lines.
  let tail: Promise<void> = Promise.resolve();
  let torn = false;
  const appendLine = async (record: JournalRecord): Promise<void> => {
    // A disk that was full for a moment may hold half a line: the next record must not be swallowed by it.
    const before = torn ? '\n' : '';
    torn = true;
    const line = `${before}${JSON.stringify(record)}\n`;
    await file.appendFile(line);
    await file.datasync();
    torn = false;
  };
  return {
    append(record) {
      const next = tail.then(() => attempt('write the journal', path, () => appendLine(record)));
      tail = next.catch(() => undefined);
      return next;
    },
    async finish() {
      await tail;
      await close();
      await attempt('remove the journal', path, async () => {
        await rm(path, { force: true });
        await syncDirectory(directory);
      });
    },
    async [Symbol.asyncDispose]() {
      await tail;
      await close();
    },
  };
}

/** The file and every directory made for it: after a power cut a journal that cannot be found again is none. */
async function createDurably(directory: string, path: string): Promise<FileHandle> {
  const made = await mkdir(directory, { recursive: true, mode: 0o700 });
  for (let at = directory; made !== undefined && at !== dirname(made); at = dirname(at)) await syncDirectory(dirname(at));
  const handle = await open(path, 'ax', 0o600);
  try {
    await syncDirectory(directory);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function* unfinishedJournals(directory: string, options: CallOptions = {}): AsyncGenerator<{ runId: string; records: readonly JournalRecord[] }> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw journalError('list the journals', directory, error);
  }
  for (const name of names.filter((entry) => entry.endsWith('.jsonl')).sort()) {
    options.signal?.throwIfAborted();
    const path = join(directory, name);
    const text = await attempt('read the journal', path, () => readFile(path, 'utf8')).catch((error: unknown) => {
      if (errorCode((error as Error).cause) === 'ENOENT') return undefined; // finished meanwhile
      throw error;
    });
    if (text !== undefined) yield { runId: name.slice(0, -'.jsonl'.length), records: parseJournal(text) };
  }
}

/** A torn line says nothing that was promised: its append had not returned, so the call it announces had not left. */
function parseJournal(text: string): JournalRecord[] {
  const records: JournalRecord[] = [];
  for (const line of text.split('\n')) {
    const record = line === '' ? undefined : parseJournalRecord(line);
    if (record !== undefined) records.push(record);
  }
  return records;
}

/** Alive: on this host, with that pid, started at that time (pids come again). A run of another host cannot be judged from here and counts as alive. */
async function isAlive(owner: string): Promise<boolean> {
  const [host, pid = '', start] = owner.split(' ');
  return host !== hostname() || String(processStart(pid)) === start;
}

/** Field 22 of /proc/PID/stat (proc(5)): start time in ticks since boot. The command name before it may hold spaces and brackets. */
function processStart(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return undefined;
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function attempt<T>(what: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw journalError(what, path, error);
  }
}

function journalError(what: string, path: string, cause: unknown): JobError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new JobError({
    code: 'JOB_JOURNAL_FAILED',
    message: `${what} ${path}: ${why}`,
    details: { path },
    hint: 'without a journal nothing is done to the cloud: make the state directory writable (--state-dir) and give it space',
    cause,
  });
}
