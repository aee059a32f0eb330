import type { CallOptions } from '@onevault/base';

/** Bytes both ways, whatever carries them. */
export interface ByteChannel {
  /** Aborted when the other side is gone or the channel was destroyed: nothing that is done for it matters any more. */
  readonly gone: AbortSignal;
  /** Exactly `length` bytes; undefined when the other side has ended, also in the middle. An abort rejects with its reason, and takes nothing. */
  read(length: number, options?: CallOptions): Promise<Buffer | undefined>;
  /** Sends the parts as one, nothing between them. Resolves when they are with the system; rejects when the other side is gone. */
  write(parts: readonly Uint8Array[]): Promise<void>;
  /** Bytes that have come and were not read. */
  readonly unread: number;
  /** Sends what was written, then ends. */
  end(): Promise<void>;
  destroy(): void;
}

/** What a channel rejects with when the other side is gone. */
export class ChannelGone extends Error {
  override readonly name = 'ChannelGone';
}
