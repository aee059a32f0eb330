import { setImmediate as nextTurn } from 'node:timers/promises';
import { mayBePlain, readPlainAnswer } from './plain-answer.ts';
import { type Decoded, ResponseDecoder } from './wire-codec.ts';

/** The codec reads less than this in no time; the body of one VM takes it a few milliseconds, and a workflow reads hundreds. */
const LARGE_BYTES = 1024;

/**
 * Decodes an answer as it arrives. What begins as oned's successes begin is held until it is whole and, if it is large, tried as a plain answer;
 * whatever is not exactly that goes through the XML-RPC codec, foreign bytes as they come. Holds the answer twice at the most.
 */
export class AnswerDecoder {
  readonly #codec = new ResponseDecoder();
  /** What the codec was not given yet; undefined once it reads along. */
  #held: Uint8Array[] | undefined = [];
  #receivedBytes = 0;

  /** The verdict, when it is already clear that the rest need not be read. */
  async write(chunk: Uint8Array): Promise<Decoded | undefined> {
    if (!this.#held) return this.#codec.write(chunk);
    const plain = mayBePlain(chunk, this.#receivedBytes);
    this.#held.push(chunk);
    this.#receivedBytes += chunk.length;
    return plain ? undefined : await this.#replay(this.#held);
  }

  async end(): Promise<Decoded> {
    if (this.#held && this.#receivedBytes >= LARGE_BYTES) {
      const value = readPlainAnswer(Buffer.concat(this.#held));
      if (value) return { kind: 'value', value };
    }
    return (await this.#replay(this.#held ?? [])) ?? this.#codec.end();
  }

  /** Gives what was held to the codec, chunk by chunk with a turn of the event loop between: a large one takes seconds. */
  async #replay(held: readonly Uint8Array[]): Promise<Decoded | undefined> {
    this.#held = undefined;
    for (const [n, chunk] of held.entries()) {
      if (n > 0) await nextTurn();
      const early = this.#codec.write(chunk);
      if (early) return early;
    }
    return undefined;
  }
}
