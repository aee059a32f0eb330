import type { CallOptions } from '@onevault/base';
import { type AuditRecord, FIRST_PREV, parseRecord } from './record.ts';
import { linesOf, listSegments } from './segments.ts';

/** Where the log stops being what was written. */
export interface AuditBreak {
  readonly path: string;
  /** Of the file, from 1. */
  readonly line: number;
  /** unreadable: no record, or one that was changed. out-of-order: records before it are missing, were put in or exchanged. cut-off: a record that is known to have been there is not. */
  readonly kind: 'unreadable' | 'out-of-order' | 'cut-off';
}

export interface AuditVerdict {
  readonly records: number;
  /** The first one; what follows cannot be trusted either. */
  readonly firstBreak: AuditBreak | undefined;
  /** Number and hash of the last record that holds. Kept elsewhere (a mail, another machine), it also shows an end that was cut off. */
  readonly head: { readonly seq: number; readonly hash: string } | undefined;
}

/**
 * Follows the chain through all files. What it cannot see by itself: records cut off at the end, and a log that was written anew as a whole; for both give it a `head` that
 * was kept elsewhere, or that the writer still knows.
 */
export async function verifyAuditLog(directory: string, { head, ...options }: CallOptions & Pick<Partial<AuditVerdict>, 'head'> = {}): Promise<AuditVerdict> {
  let last: AuditRecord | undefined;
  let records = 0;
  const verdict = (firstBreak: AuditBreak | undefined): AuditVerdict => ({ records, firstBreak, head: last && { seq: last.seq, hash: last.hash } });
  let end = { path: directory, line: 0 };
  for (const { path, firstSeq } of await listSegments(directory)) {
    let line = 0;
    end = { path, line };
    for await (const text of linesOf(path, options)) {
      options.signal?.throwIfAborted();
      line++;
      const record = parseRecord(text);
      if (record === undefined) return verdict({ path, line, kind: 'unreadable' });
      if (!follows(record, last) || (line === 1 && record.seq !== firstSeq) || isAnother(record, head)) return verdict({ path, line, kind: 'out-of-order' });
      last = record;
      records++;
      end = { path, line };
    }
  }
  const isCut = head !== undefined && (last?.seq ?? 0) < head.seq;
  return verdict(isCut ? { path: end.path, line: end.line + 1, kind: 'cut-off' } : undefined);
}

/** Where another record is known to have been. */
function isAnother({ seq, hash }: AuditRecord, head: AuditVerdict['head']): boolean {
  return seq === head?.seq && hash !== head.hash;
}

function follows(record: AuditRecord, last: AuditRecord | undefined): boolean {
  return record.seq === (last?.seq ?? 0) + 1 && record.prev === (last?.hash ?? FIRST_PREV);
}
