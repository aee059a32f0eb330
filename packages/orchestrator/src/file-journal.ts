import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type CallOptions, errorCode } from '@onevault/base';
import { attempt, createDurably, journalError, removeDurably } from './durable-file.ts';
import { type ClaimedJournal, type ClaimOptions, holderOf, type Journal, type JournalRecord, type JournalStore, type RunRecord } from './journal.ts';
import { parseJournalRecord } from './journal-record.ts';
import { type ProcessIdentity, thisProcess } from './process-identity.ts';
import { residueFiles } from './residue-files.ts';

export interface FileJournalOptions {
  /** One file a run, `<runId>.jsonl`, in this directory; created when missing. Beside them `residue/`, one file for each object that stayed. */
  readonly directory: string;
  /** Who this is; default: this process. */
  readonly identity?: ProcessIdentity;
}

/** Of this process, however many stores it opens: no two of its claims have the same name. */
let claims = 0;

/** Journals as files of JSON lines: every append is fsynced before it returns, the directory too when a file comes or goes. */
export function fileJournals(options: FileJournalOptions): JournalStore {
  const directory = resolve(options.directory);
  const identity = options.identity ?? thisProcess();
  return {
    owner: identity.owner,
    isAlive: (owner) => identity.isAlive(owner),
    residue: residueFiles(join(directory, 'residue')),
    create: (run) => createJournal(directory, run),
    unfinished: (call) => unfinishedJournals(directory, call),
    claim: (runId, time, call) => claimJournal(directory, runId, identity, { claim: `${identity.owner}#${++claims}`, time }, call),
  };
}

async function createJournal(directory: string, run: RunRecord): Promise<Journal> {
  const path = join(directory, `${run.runId}.jsonl`);
  const file = await attempt('create the journal', path, () => createDurably(directory, path, lineOf(run)));
  return journalOn(file, directory, path, false);
}

function lineOf(record: JournalRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** `torn`: the file may end in the middle of a line, and the next record must not be swallowed by it. */
function journalOn(file: FileHandle, directory: string, path: string, mayBeTorn: boolean): Journal {
  let torn = mayBeTorn;
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await file.close();
  };
  // Appends queue up: two disks at work must not interleave their lines.
  let tail: Promise<void> = Promise.resolve();
  const appendLine = async (record: JournalRecord): Promise<void> => {
    const before = torn ? '\n' : '';
    torn = true; // a disk that was full for a moment may hold half a line
    await file.appendFile(before + lineOf(record));
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
      await attempt('remove the journal', path, () => removeDurably(directory, path));
    },
    async [Symbol.asyncDispose]() {
      await tail;
      await close();
    },
  };
}

/**
 * Whoever wants a journal writes that down, then looks: the first living claim in the file holds it, and the file has one order for everybody. Nobody
 * ever takes a claim away from a living process, so there is no moment in which two hold it.
 */
async function claimJournal(
  directory: string,
  runId: string,
  identity: ProcessIdentity,
  { claim, time }: { readonly claim: string; readonly time: string },
  options: ClaimOptions = {},
): Promise<ClaimedJournal | undefined> {
  const path = join(directory, `${runId}.jsonl`);
  const isAlive = async (owner: string): Promise<boolean> => options.isGone?.(owner) !== true && (await identity.isAlive(owner));
  const before = await readJournal(path);
  if (before === undefined || (await holderOf(before, isAlive)) !== undefined) return undefined;
  options.signal?.throwIfAborted();
  const file = await openExisting(path);
  if (file === undefined) return undefined;
  const journal = journalOn(file, directory, path, true);
  await journal.append({ type: 'claimed', time, claim, owner: identity.owner });
  const release = async (at: string): Promise<void> => {
    await journal.append({ type: 'released', time: at, claim });
    await journal[Symbol.asyncDispose]();
  };
  const records = await readJournal(path);
  if (records === undefined || (await holderOf(records, isAlive))?.claim !== claim) {
    await release(time);
    return undefined;
  }
  return { ...journal, records, release };
}

/** Undefined when it is gone: whoever held it has finished it. */
async function openExisting(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_APPEND | constants.O_WRONLY);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw journalError('open the journal', path, error);
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
    const records = await readJournal(join(directory, name));
    if (records !== undefined) yield { runId: name.slice(0, -'.jsonl'.length), records };
  }
}

/** Undefined when it is gone. A torn line says nothing that was promised: its append had not returned, so the call it announces had not left. */
async function readJournal(path: string): Promise<readonly JournalRecord[] | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw journalError('read the journal', path, error);
  }
  return text.split('\n').flatMap((line) => (line === '' ? undefined : parseJournalRecord(line)) ?? []);
}
