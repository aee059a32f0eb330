import { type CallOptions, errorCode, isBaseError, type Semaphore } from '@onevault/base';
import type { BufferPool } from './buffer-pool.ts';
import type { ByteChannel } from './byte-channel.ts';
import { encodeDataHead, encodeDone, encodeError, encodeHole, encodeSimpleReply } from './codec/reply-codec.ts';
import type { Request } from './codec/request-codec.ts';
import type { NbdExport } from './export.ts';
import { COMMAND_FLAG, ERRNO, type Errno } from './protocol.ts';

/** Data goes out in pieces of at most this much, each of which is read, sent and forgotten before the next one of its request. */
const PIECE_BYTES = 1024 * 1024;
/** A hole shorter than this is sent as the zeros it is: a chunk of its own would cost the client more. */
const MIN_HOLE_BYTES = 4096;

export interface ReadJob {
  readonly request: Request;
  readonly disk: NbdExport;
  readonly channel: ByteChannel;
  /** Bytes of replies that are being made or sent. */
  readonly budget: Semaphore;
  readonly pool: BufferPool;
  readonly call: CallOptions;
}

/** Before structured replies a read succeeds or fails as a whole. */
export function answerSimpleRead(job: ReadJob): Promise<void> {
  const { cookie, offset, length } = job.request;
  return sendRange(job, offset, length, encodeSimpleReply(cookie, 0));
}

/** Holes by name, data in pieces. What fails ends the reply with the offset of the failure; what was sent before it is valid. */
export async function answerStructuredRead(job: ReadJob): Promise<void> {
  const { request, disk, call } = job;
  const { cookie, offset, length, flags } = request;
  if (length === 0) return job.channel.write([encodeDone(cookie)]);
  if ((flags & COMMAND_FLAG.DF) !== 0) return sendData(job, offset, length, true);
  const end = offset + length;
  for (let at = offset; at < end; ) {
    for (const piece of cut(await disk.extents(at, end - at, call), at, end)) {
      const pieceEnd = piece.offset + piece.length;
      const done = pieceEnd === end;
      if (piece.zero) await job.channel.write([encodeHole({ cookie, done }, piece.offset, piece.length)]);
      else await sendData(job, piece.offset, piece.length, done);
      at = pieceEnd;
    }
  }
}

function sendData(job: ReadJob, offset: number, length: number, done: boolean): Promise<void> {
  return sendRange(job, offset, length, encodeDataHead({ cookie: job.request.cookie, done }, offset, length));
}

/** Memory of a read or write that failed is not used again: somebody may still be at it. */
async function sendRange({ disk, channel, budget, pool, call }: ReadJob, offset: number, length: number, head: Buffer): Promise<void> {
  using _held = await budget.take(length, call);
  const data = pool.take(length);
  if (length > 0) await disk.read(offset, data, call);
  await channel.write([head, data]);
  pool.give(data);
}

interface Piece {
  readonly zero: boolean;
  readonly offset: number;
  readonly length: number;
}

/** Extents from `from` on as what is sent of them up to `end`: short holes joined with the data around them, long data cut. */
export function cut(extents: readonly { readonly kind: string; readonly length: number }[], from: number, end: number): Piece[] {
  const runs: { zero: boolean; offset: number; length: number }[] = [];
  let at = from;
  for (const extent of extents) {
    if (at >= end) break;
    const length = Math.min(extent.length, end - at);
    const zero = extent.kind !== 'data' && length >= MIN_HOLE_BYTES;
    const last = runs.at(-1);
    if (last && last.zero === zero) last.length += length;
    else runs.push({ zero, offset: at, length });
    at += length;
  }
  return runs.flatMap((run) => (run.zero ? [run] : pieces(run)));
}

function pieces(run: Piece): Piece[] {
  return Array.from({ length: Math.ceil(run.length / PIECE_BYTES) }, (_, n) => {
    const offset = run.offset + n * PIECE_BYTES;
    return { zero: false, offset, length: Math.min(PIECE_BYTES, run.offset + run.length - offset) };
  });
}

/** The error that a failed request is answered with. */
export function errnoOf(error: unknown): Errno {
  return ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(systemCode(error) ?? '') ? ERRNO.ENOSPC : ERRNO.EIO;
}

function systemCode(error: unknown): string | undefined {
  const own = errorCode(error);
  if (!isBaseError(error)) return own;
  return error.cause === undefined ? own : systemCode(error.cause);
}

/** Where within the request it failed, when the error says so. */
export function failedAt(error: unknown, { offset, length }: Request): number | undefined {
  if (!isBaseError(error)) return undefined;
  const { offset: at } = error.details as { readonly offset?: unknown };
  if (typeof at !== 'number' || at >= offset + length) return undefined;
  return Math.max(at, offset);
}

export function encodeFailure(request: Request, structured: boolean, errno: Errno, message: string, at?: number): Buffer {
  return structured ? encodeError(request.cookie, errno, message, at) : encodeSimpleReply(request.cookie, errno);
}
