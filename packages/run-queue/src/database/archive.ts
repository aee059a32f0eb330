import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import { forEachConcurrent } from '@onevault/base';

/** What is behind it: contents of files, each kind once. Databases that PostgreSQL copied from one another are two thirds of the files. */
interface Index {
  readonly digest: string;
  readonly directories: readonly string[];
  /** Path, where its content is, and how long it is; the zeros at its end are not stored. */
  readonly files: readonly (readonly [path: string, offset: number, stored: number, length: number])[];
}

const WRITERS = 8;
/** 9 takes a second, 11 half a minute for an eighth less; the window holds what is alike in two databases. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS } };

/** A directory of plain files as one: length of the index (4 bytes, little endian), index, contents; compressed. The same files give the same bytes. */
export async function packDirectory(directory: string): Promise<Buffer> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = (kind: 'isDirectory' | 'isFile'): string[] =>
    entries
      .filter((entry) => entry[kind]())
      .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
      .sort();
  const places = new Map<string, number>();
  const contents: Buffer[] = [];
  const files: Index['files'][number][] = [];
  let end = 0;
  for (const path of paths('isFile')) {
    const whole = await readFile(join(directory, path));
    const content = whole.subarray(0, whole.findLastIndex((byte) => byte !== 0) + 1);
    const digest = sha256(content);
    const offset = places.get(digest) ?? end;
    files.push([path, offset, content.length, whole.length]);
    if (places.has(digest)) continue;
    places.set(digest, offset);
    contents.push(content);
    end += content.length;
  }
  const all = Buffer.concat(contents);
  const index: Index = { digest: sha256(all), directories: paths('isDirectory'), files };
  const json = Buffer.from(JSON.stringify(index));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return await promisify(brotliCompress)(Buffer.concat([length, json, all]), BROTLI);
}

export interface Unpacked {
  readonly index: Index;
  readonly contents: Buffer;
}

/** Throws for what is not, byte for byte, what was packed. */
export async function unpack(packed: Buffer): Promise<Unpacked> {
  const bytes = await promisify(brotliDecompress)(packed);
  const start = 4 + bytes.readUInt32LE(0);
  const index = JSON.parse(bytes.toString('utf8', 4, start)) as Index;
  const contents = bytes.subarray(start);
  if (sha256(contents) !== index.digest) throw new RangeError('it is not what was packed');
  return { index, contents };
}

/** Makes `directory` with all that was packed, for its owner alone. */
export async function layOut({ index, contents }: Unpacked, directory: string): Promise<void> {
  const directories = [directory, ...index.directories.map((path) => join(directory, path))];
  for (const path of directories) await mkdir(path, { mode: 0o700 });
  const write = ([path, offset, stored, length]: Index['files'][number]): Promise<void> => {
    const content = Buffer.alloc(length);
    contents.copy(content, 0, offset, offset + stored);
    return writeFile(join(directory, path), content, { flag: 'wx', mode: 0o600 });
  };
  await forEachConcurrent(index.files, write, { concurrency: WRITERS });
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
