import { GuestFilesError } from '../errors.ts';
import { escapeName } from '../name-text.ts';
import { type Refusal, safeComponents } from './entry-path.ts';
import { BLOCK_BYTES, type TarHeader } from './tar-header.ts';
import { readTar } from './tar-reader.ts';

export interface StreamLimits {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

export interface TarReport {
  readonly entries: number;
  readonly bytes: number;
  readonly refused: readonly RefusedEntry[];
  /** How many were refused; `refused` names the first ones. */
  readonly refusedCount: number;
}

export interface RefusedEntry {
  readonly path: Buffer;
  readonly why: Refusal;
}

/** So many refused entries are named, so that an archive of them costs no memory. */
const NAMED_REFUSALS = 1000;

/** Counts what comes through, against the limits. */
export class Tally {
  entries = 0;
  bytes = 0;
  refusedCount = 0;
  readonly refused: RefusedEntry[] = [];
  readonly #limits: StreamLimits;

  constructor(limits: StreamLimits) {
    this.#limits = limits;
  }

  /** Throws FILES_LIMIT_EXCEEDED. */
  count(path: Buffer, sizeBytes: number): void {
    this.entries++;
    this.bytes += sizeBytes;
    if (this.entries > this.#limits.maxEntries) throw overLimit(path, 'entries', this.#limits.maxEntries);
    if (this.bytes > this.#limits.maxBytes) throw overLimit(path, 'bytes', this.#limits.maxBytes);
  }

  refuse(path: Buffer, why: Refusal): void {
    this.refusedCount++;
    if (this.refused.length < NAMED_REFUSALS) this.refused.push({ path, why });
  }

  report(): TarReport {
    const { entries, bytes, refused, refusedCount } = this;
    return { entries, bytes, refused, refusedCount };
  }
}

/** The archive as it came, without entries that would leave the place where it is unpacked. Throws FILES_TAR_INVALID, FILES_LIMIT_EXCEEDED. */
export async function* checkedTar(source: AsyncIterable<Buffer>, limits: StreamLimits): AsyncGenerator<Buffer, TarReport> {
  const tally = new Tally(limits);
  for await (const entry of readTar(source)) {
    tally.count(entry.header.path, entry.header.sizeBytes);
    const refusal = whyRefused(entry.header);
    if (refusal !== undefined) {
      tally.refuse(entry.header.path, refusal);
      continue;
    }
    yield entry.blocks;
    yield* entry.paddedBody();
  }
  yield Buffer.alloc(2 * BLOCK_BYTES);
  return tally.report();
}

function whyRefused({ path, type, linkTarget }: TarHeader): Refusal | undefined {
  if (safeComponents(path) === undefined) return 'escapes';
  if (type === 'hard-link' && safeComponents(linkTarget) === undefined) return 'escapes';
  return type === 'other' ? 'unknown' : undefined;
}

function overLimit(path: Buffer, what: 'entries' | 'bytes', limit: number): GuestFilesError {
  const text = escapeName(path);
  return new GuestFilesError({
    code: 'FILES_LIMIT_EXCEEDED',
    message: `more than ${limit} ${what}, at ${text}`,
    details: { path: text, limit },
    hint: 'a file system can claim any size for a file with holes; raise the limit if this one is to be trusted',
  });
}
