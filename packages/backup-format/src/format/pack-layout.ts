import { RepositoryError } from '../errors.ts';
import { asBuffer, fromHex, isZero, toHex } from './bytes.ts';
import { CHUNK_HEADER_BYTES, decodeTrailerEntry, type PackEntry } from './chunk-header.ts';
import { packKey } from './ids.ts';
import { FORMAT_VERSION, MAX_PACK_BYTES, MAX_PACK_CHUNKS } from './limits.ts';
import type { StructureOwner } from './structure-sum.ts';

/** docs/format.md section 6. */
export const PACK_HEADER_BYTES = 64;
export const PACK_FOOTER_BYTES = 64;
const HEADER_MAGIC = Buffer.from('onevpack', 'ascii');
const FOOTER_MAGIC = Buffer.from('onevpend', 'ascii');
const CHECKSUM_AT = 32;

export interface PackIdentity extends StructureOwner {
  readonly packId: string;
}

export function encodePackHeader(identity: PackIdentity): Buffer {
  const out = Buffer.alloc(PACK_HEADER_BYTES);
  HEADER_MAGIC.copy(out, 0);
  out.writeUInt32LE(FORMAT_VERSION, 8);
  fromHex(identity.repositoryId).copy(out, 16);
  fromHex(identity.packId).copy(out, 32);
  return out;
}

/** The trailer, given as its entries one after the other, and the footer, for chunks that end at `trailerOffset`. */
export function encodePackTail(identity: PackIdentity, header: Uint8Array, trailer: Uint8Array, trailerOffset: number): Buffer {
  const footer = Buffer.alloc(PACK_FOOTER_BYTES);
  FOOTER_MAGIC.copy(footer, 0);
  footer.writeUInt32LE(FORMAT_VERSION, 8);
  footer.writeUInt32LE(trailer.length / CHUNK_HEADER_BYTES, 12);
  footer.writeUInt32LE(trailerOffset, 16);
  footer.writeUInt32LE(trailer.length, 20);
  packChecksum(identity, header, trailer, footer).copy(footer, CHECKSUM_AT);
  return Buffer.concat([trailer, footer]);
}

export interface PackFooter {
  readonly entries: number;
  readonly trailerOffset: number;
  readonly trailerBytes: number;
}

/** Checks everything about a footer but its checksum, so that the size of the trailer is known to be sane before it is read (I15). */
export function decodePackFooter(footer: Uint8Array, packBytes: number): PackFooter {
  const buffer = asBuffer(footer);
  if (buffer.length !== PACK_FOOTER_BYTES || !buffer.subarray(0, 8).equals(FOOTER_MAGIC)) throw invalid('does not end in a footer: it is truncated or damaged');
  const version = buffer.readUInt32LE(8);
  if (version !== FORMAT_VERSION) throw invalid(`has the unknown version ${version}`);
  const entries = buffer.readUInt32LE(12);
  const trailerOffset = buffer.readUInt32LE(16);
  const trailerBytes = buffer.readUInt32LE(20);
  if (entries < 1 || entries > MAX_PACK_CHUNKS || trailerBytes !== entries * CHUNK_HEADER_BYTES)
    throw invalid(`has a trailer of ${trailerBytes} bytes for ${entries} chunks`);
  if (packBytes > MAX_PACK_BYTES || trailerOffset + trailerBytes + PACK_FOOTER_BYTES !== packBytes)
    throw invalid(`has lengths that do not add up to its ${packBytes} bytes`);
  if (!isZero(buffer.subarray(24, 32))) throw invalid('has reserved bytes that are not zero');
  return { entries, trailerOffset, trailerBytes };
}

/** Checks header, trailer and footer against each other and against the place they were found in (I6); returns the entries in pack order. */
export function decodePackEntries(identity: PackIdentity, header: Uint8Array, trailer: Uint8Array, footer: Uint8Array): PackEntry[] {
  const sum = packChecksum(identity, header, trailer, footer);
  if (!sum.equals(asBuffer(footer).subarray(CHECKSUM_AT))) throw invalid('fails the checksum of its trailer');
  checkPackHeader(identity, header);
  const entries: PackEntry[] = [];
  let expected = PACK_HEADER_BYTES;
  for (let at = 0; at < trailer.length; at += CHUNK_HEADER_BYTES) {
    const entry = decodeTrailerEntry(trailer.subarray(at, at + CHUNK_HEADER_BYTES));
    if (entry.offset !== expected) throw invalid(`has a gap or an overlap at ${expected}`);
    if ((entry.encrypted ?? false) !== identity.sum.encrypted) throw invalid(`has a chunk at ${expected} that is ${entry.encrypted ? '' : 'not '}encrypted`);
    expected += CHUNK_HEADER_BYTES + entry.storedBytes;
    entries.push(entry);
  }
  if (expected !== asBuffer(footer).readUInt32LE(16)) throw invalid('has bytes between its last chunk and its trailer');
  return entries;
}

function checkPackHeader(identity: PackIdentity, header: Uint8Array): void {
  const buffer = asBuffer(header);
  if (buffer.length !== PACK_HEADER_BYTES || !buffer.subarray(0, 8).equals(HEADER_MAGIC)) throw invalid('does not begin with its magic');
  if (buffer.readUInt32LE(8) !== FORMAT_VERSION) throw invalid(`has the unknown version ${buffer.readUInt32LE(8)}`);
  if (buffer.readUInt32LE(12) !== 0 || !isZero(buffer.subarray(48, 64))) throw invalid('has reserved bytes that are not zero');
  if (toHex(buffer.subarray(16, 32)) !== identity.repositoryId) throw invalid(`belongs to the repository ${toHex(buffer.subarray(16, 32))}`);
  if (toHex(buffer.subarray(32, 48)) !== identity.packId) throw invalid(`is really the pack ${toHex(buffer.subarray(32, 48))}`);
}

function packChecksum({ sum, packId }: PackIdentity, header: Uint8Array, trailer: Uint8Array, footer: Uint8Array): Buffer {
  return sum.of(packKey(packId), header, trailer, footer.subarray(0, CHECKSUM_AT));
}

function invalid(message: string): RepositoryError {
  return new RepositoryError({ code: 'REPO_PACK_INVALID', message: `the pack ${message}` });
}
