import { once, setMaxListeners } from 'node:events';
import type { Duplex } from 'node:stream';
import type { CallOptions } from '@onevault/base';
import { type ByteChannel, ChannelGone } from './byte-channel.ts';

/** A channel over a socket or a TLS socket. Nothing is read from the socket beyond its own buffer unless somebody asks: a client that sends too much waits. */
export class SocketChannel implements ByteChannel {
  readonly gone: AbortSignal;
  readonly #gone = new AbortController();
  readonly #socket: Duplex;
  readonly #release: () => void;
  #wake: (() => void) | undefined;
  #ended = false;

  constructor(socket: Duplex) {
    this.#socket = socket;
    this.gone = this.#gone.signal;
    setMaxListeners(0, this.gone); // every request under way listens
    const wake = (): void => this.#wake?.();
    const onEnd = (): void => {
      this.#ended = true;
      wake();
    };
    const onClose = (): void => {
      this.#ended = true;
      this.#gone.abort(new ChannelGone('the other side is gone'));
      wake();
    };
    const listeners = { readable: wake, end: onEnd, close: onClose, error: onClose } as const;
    for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener);
    // An error that comes after the socket was handed to TLS is TLS's to report; without any listener it would end the process.
    this.#release = () => {
      for (const [event, listener] of Object.entries(listeners)) if (event !== 'error') socket.off(event, listener);
    };
  }

  get unread(): number {
    return this.#socket.readableLength;
  }

  async read(length: number, options: CallOptions = {}): Promise<Buffer | undefined> {
    const { signal } = options;
    const wake = (): void => this.#wake?.();
    signal?.addEventListener('abort', wake, { once: true });
    try {
      for (;;) {
        signal?.throwIfAborted();
        const bytes = this.#take(length);
        if (bytes) return bytes;
        if (this.#ended || this.#socket.destroyed) return undefined;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#wake = undefined;
      signal?.removeEventListener('abort', wake);
    }
  }

  /** A stream that has ended gives what is left, however little. */
  #take(length: number): Buffer | undefined {
    if (length === 0) return Buffer.alloc(0);
    const bytes = this.#socket.read(length) as Buffer | null;
    return bytes?.length === length ? bytes : undefined;
  }

  write(parts: readonly Uint8Array[]): Promise<void> {
    const socket = this.#socket;
    if (this.gone.aborted || !socket.writable) return Promise.reject(new ChannelGone('the other side is gone'));
    return new Promise((resolve, reject) => {
      const last = parts.length - 1;
      socket.cork();
      for (const [n, part] of parts.entries()) {
        if (n < last) socket.write(part);
        else socket.write(part, (error) => (error ? reject(new ChannelGone('the other side is gone', { cause: error })) : resolve()));
      }
      socket.uncork();
    });
  }

  async end(): Promise<void> {
    if (this.#socket.destroyed) return;
    this.#socket.end();
    if (!this.#socket.writableFinished) await once(this.#socket, 'finish', { signal: this.gone }).catch(() => undefined);
    this.destroy();
  }

  /** Leaves the socket to somebody else, TLS for example. */
  detach(): void {
    this.#release();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
