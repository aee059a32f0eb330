import type { Extent, NbdExport } from '../src/index.ts';

const GRAIN_BYTES = 4096;

/** A disk in memory whose pages of zeros are holes. */
export function memoryExport(bytes: Buffer, options: { readonly writable?: boolean } = {}): NbdExport {
  const kindOf = (from: number, to: number): Extent['kind'] => (bytes.subarray(from, to).every((byte) => byte === 0) ? 'hole' : 'data');
  const writer = {
    async write(offset: number, data: Uint8Array): Promise<void> {
      bytes.set(data, offset);
    },
    async zero(offset: number, length: number): Promise<void> {
      bytes.fill(0, offset, offset + length);
    },
    flush: (): Promise<void> => Promise.resolve(),
  };
  return {
    sizeBytes: bytes.length,
    description: 'bytes in memory',
    ...(options.writable ? { writer } : {}),
    async read(offset, target) {
      target.set(bytes.subarray(offset, offset + target.length));
    },
    async extents(offset, length) {
      const extents: Extent[] = [];
      for (let at = offset; at < offset + length; ) {
        const end = Math.min(offset + length, (Math.floor(at / GRAIN_BYTES) + 1) * GRAIN_BYTES);
        extents.push({ kind: kindOf(at, end), length: end - at });
        at = end;
      }
      return extents;
    },
  };
}
