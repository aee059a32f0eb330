import type { CallOptions } from '@onevault/base';
import { type AuditRecord, FIRST_PREV, parseRecord } from './record.ts';
import { linesOf, listSegments } from './segments.ts';

/** Where the log stops being what was written. */
export interface AuditBreak {
  readonly path: string;
  /** Of the file, from 1. */
  readonly line: number;
  /** unreadable: no record, or one that was changed. out-of-order: records before it are missing, were put in or exchanged. */
  readonly kind: 'unreadable' | 'out-of-order';
}

export interface AuditVerdict {
  readonly records: number;
  /** The first one; what follows cannot be trusted either. */
  readonly firstBreak: AuditBreak | undefined;
  /** Number and hash of the last record that holds. Kept elsewhere (a mail, another machine), it also shows an end that was cut off. */
  readonly head: { readonly seq: number; readonly hash: string } | undefined;
}

/**
 * Follows the chain through all files. What it cannot see: records cut off at the end, and a log that was written anew as a whole; for both compare `head`
 * with one kept elsewhere.
 */
export async function verifyAuditLog(directory: string, options: CallOptions = {}): Promise<AuditVerdict> {
  let last: AuditRecord | undefined;
  let records = 0;
  const verdict = (firstBreak: AuditBreak | undefined): AuditVerdict => ({ records, firstBreak, head: last && { seq: last.seq, hash: last.hash } });
  for (const { path, firstSeq } of await listSegments(directory)) {
    let line = 0;
    for await (const text of linesOf(path, options)) {
      options.signal?.throwIfAborted();
      line++;
      const record = parseRecord(text);
      if (record === undefined) return verdict({ path, line, kind: 'unreadable' });
      if (!follows(record, last) || (line === 1 && record.seq !== firstSeq)) return verdict({ path, line, kind: 'out-of-order' });
      last = record;
      records++;
    }
  }
  return verdict(undefined);
}

function follows(record: AuditRecord, last: AuditRecord | undefined): boolean {
  return record.seq === (last?.seq ?? 0) + 1 && record.prev === (last?.hash ?? FIRST_PREV);
}
