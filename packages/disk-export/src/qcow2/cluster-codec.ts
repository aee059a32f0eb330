import { promisify } from 'node:util';
import { constants, deflateRaw, inflateRaw } from 'node:zlib';
import { Decoder, Encoder } from '@toondepauw/node-zstd';
import type { Compression } from '../export-api.ts';

/** Compresses single clusters on libuv's threads. */
export interface ClusterCodec {
  /** Undefined when it would not become smaller. The memory is read until the promise settles. */
  compress(cluster: Buffer): Promise<Uint8Array | undefined>;
  /** `stored` may go on behind the compressed bytes: their length is only known to the sector. */
  decompress(stored: Uint8Array, clusterBytes: number): Promise<Uint8Array>;
}

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** As QEMU does it (block/qcow2-threads.c): raw deflate with a window of 4 KiB, which is all that its decompressor accepts, at the default level. */
const WINDOW_BITS = 12;
const MEM_LEVEL = 9;
/** zstd's own default, which QEMU takes. */
const ZSTD_LEVEL = 3;

export function clusterCodec(compression: Compression): ClusterCodec {
  return compression === 'zlib' ? zlibCodec() : zstdCodec();
}

/** What zstd at its fastest does not shrink by 2 %, deflate does not either, and takes ten times as long to find out. Much on disks is compressed already. */
const HOPELESS = 0.98;

function zlibCodec(): ClusterCodec {
  const probe = new Encoder(1);
  return {
    async compress(cluster) {
      if ((await probe.encode(cluster)).length > cluster.length * HOPELESS) return undefined;
      const compressed = await deflate(cluster, { windowBits: WINDOW_BITS, memLevel: MEM_LEVEL, chunkSize: cluster.length });
      return compressed.length < cluster.length ? compressed : undefined;
    },
    // Sync flush: what follows the end of the stream, or is missing behind the last byte, is none of its business.
    decompress: (stored) => inflate(stored, { windowBits: WINDOW_BITS, finishFlush: constants.Z_SYNC_FLUSH }),
  };
}

function zstdCodec(): ClusterCodec {
  const encoder = new Encoder(ZSTD_LEVEL);
  const decoder = new Decoder();
  return {
    async compress(cluster) {
      const compressed = await encoder.encode(cluster);
      return compressed.length < cluster.length ? compressed : undefined;
    },
    decompress: async (stored) => await decoder.decode(Buffer.from(stored.subarray(0, frameBytes(stored)))),
  };
}

/** Length of the zstd frame that `bytes` begin with (RFC 8878, section 3.1.1). */
function frameBytes(bytes: Uint8Array): number {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const descriptor = view.readUInt8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const contentSize = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  let at = 5 + (singleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0) + contentSize;
  for (;;) {
    const block = view.readUIntLE(at, 3);
    const isRunLength = ((block >> 1) & 3) === 1;
    at += 3 + (isRunLength ? 1 : block >> 3);
    if (block & 1) break;
  }
  return at + (descriptor & 0x04 ? 4 : 0);
}
