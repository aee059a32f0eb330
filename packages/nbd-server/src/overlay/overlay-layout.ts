import { NbdError } from '../errors.ts';

/** Unit of copying: a write into a part of it brings the rest from below once. Small enough for that, large enough for the map of an 8 TiB disk to fit into 32 MiB. */
export const GRAIN_BYTES = 64 * 1024;
export const HEADER_BYTES = 4096;
/** Unit of writing the map. */
export const MAP_PAGE_BYTES = 4096;
const GRAINS_PER_BYTE = 4;
const MAGIC = 'onevault overlay 1\n';

/** Where a grain's bytes are. */
export const GRAIN = { below: 0, here: 1, zero: 2 } as const;
export type Grain = (typeof GRAIN)[keyof typeof GRAIN];

/** What an overlay belongs to. */
export interface OverlayFacts {
  readonly sizeBytes: number;
  /** Whatever tells the disk below from every other one: an overlay over another disk would be a mixture of two. */
  readonly identity: string;
}

/**
 * The file, all in one: a page of header (a magic line, a line of JSON), a map with two bits for each grain, and from the next MiB on the grains, each at its own place of a
 * sparse file.
 */
export interface OverlayLayout {
  readonly grainCount: number;
  readonly mapBytes: number;
  readonly dataOffset: number;
}

export function overlayLayout(sizeBytes: number): OverlayLayout {
  const grainCount = Math.ceil(sizeBytes / GRAIN_BYTES);
  const mapBytes = roundUp(Math.ceil(grainCount / GRAINS_PER_BYTE), MAP_PAGE_BYTES);
  return { grainCount, mapBytes, dataOffset: roundUp(HEADER_BYTES + mapBytes, 1024 * 1024) };
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

export function encodeHeader(facts: OverlayFacts): Buffer {
  const text = `${MAGIC}${JSON.stringify({ grainBytes: GRAIN_BYTES, sizeBytes: facts.sizeBytes, identity: facts.identity })}\n`;
  if (Buffer.byteLength(text) > HEADER_BYTES) throw new RangeError('the identity of a disk does not fit into the header of an overlay');
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(text);
  return bytes;
}

/** Throws NBD_OVERLAY_INVALID for what is no overlay of ours. */
export function decodeHeader(bytes: Buffer, path: string): OverlayFacts {
  const text = bytes.toString('utf8');
  const end = text.indexOf('\n', MAGIC.length);
  const facts = text.startsWith(MAGIC) && end > 0 ? parse(text.slice(MAGIC.length, end)) : undefined;
  if (facts) return facts;
  throw new NbdError({
    code: 'NBD_OVERLAY_INVALID',
    message: `${path} is not an overlay of this version`,
    details: { path },
    hint: 'name a file that is not there yet, or one that was made here',
  });
}

function parse(json: string): OverlayFacts | undefined {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value !== 'object' || value === null) return undefined;
    const { grainBytes, sizeBytes, identity } = value as Readonly<Record<string, unknown>>;
    if (grainBytes !== GRAIN_BYTES || typeof sizeBytes !== 'number' || typeof identity !== 'string') return undefined;
    return { sizeBytes, identity };
  } catch {
    return undefined;
  }
}
