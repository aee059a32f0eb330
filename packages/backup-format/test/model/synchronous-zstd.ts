import type { Decoder, Encoder } from '@toondepauw/node-zstd';

/** zstd without threads, so that nothing in a sequence happens in an order of its own. For `vi.mock`. */
export function synchronousZstd(real: { readonly Encoder: typeof Encoder; readonly Decoder: typeof Decoder }): object {
  class SynchronousEncoder {
    readonly #inner: Encoder;
    constructor(level: number) {
      this.#inner = new real.Encoder(level);
    }
    encodeSync(data: Buffer): Buffer {
      return this.#inner.encodeSync(data);
    }
    async encode(data: Buffer): Promise<Buffer> {
      return this.#inner.encodeSync(data);
    }
  }
  class SynchronousDecoder {
    readonly #inner = new real.Decoder();
    async decode(data: Buffer): Promise<Buffer> {
      return this.#inner.decodeSync(data);
    }
  }
  return { Encoder: SynchronousEncoder, Decoder: SynchronousDecoder };
}
