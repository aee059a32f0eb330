import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { type CallOptions, errorCode } from '@onevault/base';
import { ExportError, writeFailure } from './errors.ts';
import { zeroPieces } from './zero.ts';

/** A pipe, in order and at the pace of its reader. It is not ended: who opened it closes it. */
export class StreamSink {
  readonly #stream: Writable;
  #position = 0;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  get position(): number {
    return this.#position;
  }

  /** Resolves when the stream has taken the bytes, so that their memory can be used again. Throws EXPORT_PIPE_CLOSED when nobody reads any more. */
  async write(data: Uint8Array, { signal }: CallOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    if (data.length === 0) return;
    const stream = this.#stream;
    if (stream.destroyed || stream.writableEnded) throw closed(this.#position);
    const settled = new AbortController();
    const taken = new Promise<void>((resolve, reject) => {
      stream.write(data, (error) => (error ? reject(error) : resolve()));
    });
    try {
      // A stream that is destroyed meanwhile may never call back; an error event nobody listens for would end the process.
      await Promise.race([taken, ...endings(stream, settled.signal), ...(signal ? [aborted(signal, settled.signal)] : [])]);
    } catch (error) {
      signal?.throwIfAborted();
      throw isClosed(error) ? closed(this.#position, error) : writeFailure('the stream', { offset: this.#position, length: data.length }, error);
    } finally {
      settled.abort();
    }
    this.#position += data.length;
  }

  async zeros(length: number, options: CallOptions = {}): Promise<void> {
    for (const piece of zeroPieces(length)) await this.write(piece, options);
  }
}

class StreamClosed extends Error {}

function endings(stream: Writable, settled: AbortSignal): Promise<never>[] {
  const error = once(stream, 'error', { signal: settled }).then(([cause]) => Promise.reject(cause));
  const close = once(stream, 'close', { signal: settled }).then(() => Promise.reject(new StreamClosed('it was closed')));
  for (const ending of [error, close]) ending.catch(() => undefined); // whichever comes late
  return [error, close];
}

function aborted(signal: AbortSignal, settled: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: settled }));
}

function isClosed(error: unknown): boolean {
  return error instanceof StreamClosed || ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END'].includes(errorCode(error) ?? '');
}

function closed(position: number, cause?: unknown): ExportError {
  return new ExportError({
    code: 'EXPORT_PIPE_CLOSED',
    message: `whoever reads the export ended after about ${position} bytes of it`,
    details: { offset: position },
    hint: 'see what the program behind the pipe said',
    ...(cause !== undefined && { cause }),
  });
}
