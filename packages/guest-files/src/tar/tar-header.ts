import { GuestFilesError } from '../errors.ts';

export const BLOCK_BYTES = 512;

export type TarType = 'file' | 'hard-link' | 'symlink' | 'directory' | 'special' | 'other';

/** One entry as its header and the extension records before it say. */
export interface TarHeader {
  readonly path: Buffer;
  readonly type: TarType;
  readonly linkTarget: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds, perhaps with a fraction. */
  readonly modified: number;
  /** Of the body that follows. */
  readonly sizeBytes: number;
}

/** A header block, where an extension record in front does not say otherwise. */
export interface RawHeader extends TarHeader {
  readonly typeFlag: string;
}

/** POSIX ustar and GNU; throws FILES_TAR_INVALID for a block that is neither. */
export function parseHeader(block: Buffer): RawHeader {
  if (!checksumHolds(block)) throw invalidTar('a header has a wrong checksum');
  const typeFlag = String.fromCharCode(block[156] ?? 0);
  const ustar = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = ustar ? text(block, 345, 155) : Buffer.alloc(0);
  const name = text(block, 0, 100);
  return {
    typeFlag,
    path: prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), name]) : name,
    type: TYPES[typeFlag] ?? 'other',
    linkTarget: text(block, 157, 100),
    mode: number(block, 100, 8) % 0o10000,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    modified: number(block, 136, 12),
    sizeBytes: BODILESS.has(typeFlag) ? 0 : number(block, 124, 12),
  };
}

/** `length key=value\n` records (pax(1)); values are bytes. */
export function parsePax(body: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < body.length; ) {
    const blank = body.indexOf(0x20, at);
    const length = Number(body.toString('latin1', at, blank));
    const equals = body.indexOf(0x3d, blank);
    const wrong = blank < 0 || !Number.isInteger(length) || length <= blank - at || at + length > body.length || equals < 0 || equals >= at + length;
    if (wrong || body[at + length - 1] !== 0x0a) throw invalidTar('an extended header is not made of records');
    records.set(body.toString('latin1', blank + 1, equals), body.subarray(equals + 1, at + length - 1));
    at += length;
  }
  return records;
}

/** What extension records say in place of the header. Throws FILES_TAR_INVALID. */
export function withRecords(header: RawHeader, records: ReadonlyMap<string, Buffer>): RawHeader {
  const numeric = (key: string, otherwise: number): number => {
    const value = records.get(key);
    if (value === undefined) return otherwise;
    const parsed = Number(value.toString('latin1'));
    if (!Number.isFinite(parsed)) throw invalidTar(`an extended header has no number as ${key}`);
    return parsed;
  };
  const sizeBytes = BODILESS.has(header.typeFlag) ? 0 : numeric('size', header.sizeBytes);
  if (sizeBytes < 0) throw invalidTar('an entry has a negative size');
  return {
    ...header,
    path: records.get('path') ?? header.path,
    linkTarget: records.get('linkpath') ?? header.linkTarget,
    uid: numeric('uid', header.uid),
    gid: numeric('gid', header.gid),
    modified: numeric('mtime', header.modified),
    sizeBytes,
  };
}

export function invalidTar(why: string): GuestFilesError {
  return new GuestFilesError({
    code: 'FILES_TAR_INVALID',
    message: `the stream of files from the micro-VM is no tar archive that can be trusted: ${why}`,
    hint: 'the file system may be damaged or made to harm: take files one by one with cat, or the disk to a machine of its own',
  });
}

const TYPES: Readonly<Record<string, TarType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hard-link',
  '2': 'symlink',
  '3': 'special',
  '4': 'special',
  '5': 'directory',
  '6': 'special',
};

/** Link, symbolic link, device, directory, FIFO: whatever their size field says, nothing follows. */
const BODILESS = new Set(['1', '2', '3', '4', '5', '6']);

function checksumHolds(block: Buffer): boolean {
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK_BYTES; at++) if (at < 148 || at >= 156) sum += block[at] ?? 0;
  return sum === number(block, 148, 8);
}

function text(block: Buffer, at: number, length: number): Buffer {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end));
}

/** Octal, or for what does not fit base 256 with the first bit set (GNU). */
function number(block: Buffer, at: number, length: number): number {
  const field = block.subarray(at, at + length);
  const first = field[0] ?? 0;
  if ((first & 0x80) !== 0) return base256(field, first);
  const digits = field
    .toString('latin1')
    .replace(/[\0 ]+$/, '')
    .trimStart();
  if (!/^[0-7]*$/.test(digits)) throw invalidTar('a header has no number where one belongs');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function base256(field: Buffer, first: number): number {
  // 0xff in front is a negative number, as of a time before 1970.
  let value = first === 0xff ? -1 : first & 0x7f;
  for (const byte of field.subarray(1)) value = value * 256 + byte;
  return value;
}
