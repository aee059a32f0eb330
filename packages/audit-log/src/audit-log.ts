import { type FileHandle, mkdir, open, truncate, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { CallOptions, Clock } from '@onevault/base';
import { AuditError } from './errors.ts';
import { type AuditEntry, type AuditRecord, formatRecord, nextRecord, parseRecord } from './record.ts';
import { linesOf, listSegments, type Segment, segmentPath, tornTail } from './segments.ts';

export interface AuditLogOptions {
  readonly directory: string;
  readonly clock: Clock;
  /** A file that is larger is followed by a new one. Default 16 MiB. */
  readonly segmentBytes?: number;
}

export interface AuditFilter {
  /** Records with a smaller number than this, newest first: for paging. */
  readonly beforeSeq?: number;
  readonly limit: number;
  readonly matches?: (record: AuditRecord) => boolean;
}

/** One writer at a time; readers need no permission. */
export interface AuditLog extends AsyncDisposable {
  /** Resolves when the record is on stable storage. What is said at the same time shares one sync. Throws AUDIT_WRITE_FAILED, AUDIT_FOREIGN_WRITER. */
  append(entry: AuditEntry): Promise<AuditRecord>;
  /** Number and hash of the last record that is on stable storage: what verification can hold the files against. */
  head(): { readonly seq: number; readonly hash: string } | undefined;
  /** Newest first. Lines that are no records are passed over: `verifyAuditLog` names them. */
  read(filter: AuditFilter, options?: CallOptions): Promise<readonly AuditRecord[]>;
}

const SEGMENT_BYTES = 16 * 1024 * 1024;

/** Opens the log in a directory, which is made. A record that was torn by a crash is set aside, and the log says so. Throws AUDIT_DAMAGED, AUDIT_WRITE_FAILED. */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  return FileAuditLog.open(options);
}

interface Waiting {
  readonly entry: AuditEntry;
  readonly resolve: (record: AuditRecord) => void;
  readonly reject: (error: unknown) => void;
}

class FileAuditLog implements AuditLog {
  readonly #options: AuditLogOptions;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #file: { readonly handle: FileHandle; readonly path: string; size: number } | undefined;
  #last: { readonly seq: number; readonly hash: string } | undefined;
  /** After a failed write nobody knows what the file ends with. */
  #failure: unknown;

  private constructor(options: AuditLogOptions) {
    this.#options = options;
  }

  static async open(options: AuditLogOptions): Promise<FileAuditLog> {
    const log = new FileAuditLog(options);
    const { directory } = options;
    await attempt(directory, () => makeDirectory(directory));
    const segments = await listSegments(directory);
    const last = segments.at(-1);
    if (last === undefined) return log;
    const torn = await attempt(last.path, () => cutTorn(last));
    log.#last = await lastRecord(segments);
    const handle = await attempt(last.path, () => open(last.path, 'a'));
    log.#file = { handle, path: last.path, size: (await handle.stat()).size };
    if (torn !== undefined) await log.append({ actor: { kind: 'system', name: 'onevault' }, action: 'audit.torn', object: torn, outcome: 'failed' });
    return log;
  }

  head(): { readonly seq: number; readonly hash: string } | undefined {
    return this.#last && { seq: this.#last.seq, hash: this.#last.hash };
  }

  append(entry: AuditEntry): Promise<AuditRecord> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      await this.#writeBatch(batch);
    }
    this.#writing = undefined;
  }

  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    const written: { readonly waiting: Waiting; readonly record: AuditRecord }[] = [];
    try {
      if (this.#failure !== undefined) throw this.#failure;
      let last = this.#last;
      for (const waiting of batch) {
        const record = this.#recordOf(last, waiting);
        if (record === undefined) continue;
        written.push({ waiting, record });
        last = record;
      }
      if (written.length > 0) await this.#write(written.map(({ record }) => record));
      this.#last = last;
      for (const { waiting, record } of written) waiting.resolve(record);
    } catch (error) {
      this.#failure = error;
      for (const { reject } of batch) reject(error);
    }
  }

  /** An entry that cannot be written down is its caller's fault alone. */
  #recordOf(last: { readonly seq: number; readonly hash: string } | undefined, { entry, reject }: Waiting): AuditRecord | undefined {
    try {
      return nextRecord(last, this.#options.clock.now().toISOString(), entry);
    } catch (error) {
      reject(error);
      return undefined;
    }
  }

  async #write(records: readonly AuditRecord[]): Promise<void> {
    const file = await this.#current(records[0]?.seq ?? 1);
    await attempt(file.path, async () => {
      if ((await file.handle.stat()).size !== file.size) throw foreignWriter(file.path);
      const bytes = Buffer.from(records.map(formatRecord).join(''));
      await file.handle.appendFile(bytes);
      await file.handle.datasync();
      file.size += bytes.length;
    });
  }

  async #current(firstSeq: number): Promise<{ readonly handle: FileHandle; readonly path: string; size: number }> {
    const { directory, segmentBytes = SEGMENT_BYTES } = this.#options;
    if (this.#file !== undefined && this.#file.size < segmentBytes) return this.#file;
    await this.#file?.handle.close();
    const path = segmentPath(directory, firstSeq);
    const handle = await attempt(path, async () => {
      const made = await open(path, 'ax', 0o600);
      await syncDirectory(directory);
      return made;
    });
    this.#file = { handle, path, size: 0 };
    return this.#file;
  }

  async read(filter: AuditFilter, options: CallOptions = {}): Promise<readonly AuditRecord[]> {
    const { beforeSeq = Number.POSITIVE_INFINITY, limit, matches = () => true } = filter;
    const found: AuditRecord[] = [];
    const segments = await listSegments(this.#options.directory);
    for (const { path } of segments.filter(({ firstSeq }) => firstSeq < beforeSeq).reverse()) {
      const newest: AuditRecord[] = [];
      for await (const line of linesOf(path, options)) {
        const record = parseRecord(line);
        if (record === undefined || record.seq >= beforeSeq || !matches(record)) continue;
        newest.push(record);
        if (newest.length > limit - found.length) newest.shift();
      }
      found.push(...newest.reverse());
      if (found.length >= limit) break;
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await this.#file?.handle.close();
    this.#file = undefined;
    this.#failure ??= new AuditError({ code: 'AUDIT_WRITE_FAILED', message: 'the audit log is closed' });
  }
}

/** A crash may have come right after a file was begun: then the chain goes on from the one before. Throws AUDIT_DAMAGED. */
async function lastRecord(segments: readonly Segment[]): Promise<AuditRecord | undefined> {
  for (const { path } of segments.toReversed()) {
    let last: string | undefined;
    for await (const line of linesOf(path, {})) last = line;
    if (last === undefined) continue;
    const record = parseRecord(last);
    if (record === undefined) throw damaged(path);
    return record;
  }
  return undefined;
}

/** Answers where what was torn is kept; undefined when the file ends with a whole line. */
async function cutTorn({ path }: Segment): Promise<string | undefined> {
  const { wholeBytes, torn } = await tornTail(path);
  if (torn === '') return undefined;
  const aside = `${path}.torn-at-${wholeBytes}`;
  await writeFile(aside, torn, { mode: 0o600, flush: true });
  await truncate(path, wholeBytes);
  return aside;
}

async function makeDirectory(directory: string): Promise<void> {
  const made = await mkdir(directory, { recursive: true, mode: 0o700 });
  for (let at = directory; made !== undefined && at !== dirname(made); at = dirname(at)) await syncDirectory(dirname(at));
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AuditError) throw error;
    throw writeFailed(path, error);
  }
}

function writeFailed(path: string, cause: unknown): AuditError {
  return new AuditError({
    code: 'AUDIT_WRITE_FAILED',
    message: `the audit log ${path} could not be written: ${cause instanceof Error ? cause.message : String(cause)}`,
    details: { path },
    hint: 'what is not in the audit log is not done: give the state directory space and make it writable',
    cause,
  });
}

function foreignWriter(path: string): AuditError {
  return new AuditError({
    code: 'AUDIT_FOREIGN_WRITER',
    message: `${path} was changed by somebody else while it was open`,
    details: { path },
    hint: 'two servers share one state directory, or the log was tampered with: run the audit verification',
  });
}

function damaged(path: string): AuditError {
  return new AuditError({
    code: 'AUDIT_DAMAGED',
    message: `the last line of ${path} is not a record that was written there`,
    details: { path },
    hint: 'keep the directory as evidence, move it away, and start with a new one',
  });
}
