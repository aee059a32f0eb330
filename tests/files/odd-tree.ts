import { createHash } from 'node:crypto';
import {
  type Dirent,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { seededRandom } from '@onevault/base/testing';

const MIB = 2 ** 20;

/** A directory with everything that a name, a size and a link can be, below `root`. */
export function makeOddTree(root: string, seed: number): void {
  const random = seededRandom(seed);
  const at = (...parts: readonly (string | Uint8Array)[]): Buffer => Buffer.concat([Buffer.from(`${root}/`), ...parts.map((part) => Buffer.from(part))]);
  mkdirSync(root, { recursive: true });
  mkdirSync(at('odd'));
  for (let byte = 1; byte < 256; byte++) {
    if (byte === 0x2f) continue;
    writeFileSync(at('odd/', Uint8Array.of(0x61, byte, 0x62)), Buffer.from([byte, byte]));
    if (byte !== 0x2e) writeFileSync(at('odd/', Uint8Array.of(byte)), random.bytes(random.int(3000)));
  }
  writeFileSync(
    at(
      'odd/',
      Uint8Array.from({ length: 255 }, (_, index) => (index % 255) + 1).map((byte) => (byte === 0x2f ? 0x30 : byte)),
    ),
    'every byte in one name',
  );
  writeFileSync(at('odd/', '-time !touch pwned'), 'x');
  mkdirSync(at('odd/', 'a\nb "c" \'d\' \\e $(f) `g` |h'));
  writeFileSync(at('odd/', 'a\nb "c" \'d\' \\e $(f) `g` |h/', Uint8Array.of(0xff, 0x0a, 0x27, 0x5c)), 'inside');
  writeFileSync(at('x'.repeat(255)), 'as long as a name can be');
  mkdirSync(at('empty'), 0o711);
  const deep = ['deep', ...Array.from({ length: 60 }, (_, level) => `${level} level`)].join('/');
  mkdirSync(at(deep), { recursive: true });
  writeFileSync(at(deep, '/leaf'), 'leaf');
  writeFileSync(at('big'), random.bytes(8 * MIB));
  writeFileSync(at('sparse'), 'begin');
  truncateSync(at('sparse'), 24 * MIB);
  writeFileSync(at('sparse'), 'end', { flag: 'a' });
  writeFileSync(at('first name'), 'two names');
  linkSync(at('first name'), at('second name'));
  symlinkSync('/etc/passwd', at('absolute link'));
  symlinkSync('../../../outside', at('link out'));
  symlinkSync(Buffer.of(0x78, 0x0a, 0xff), at('link to odd'));
  writeFileSync(at('set-id'), '#!/bin/sh\n', { mode: 0o755 });
  utimesSync(at('big'), 1_000_000_000, 1_000_000_000);
}

/** What is below a directory: kind, content, target and time of each, by the bytes of its path. */
export function census(root: string | Buffer): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (directory: Buffer, prefix: string): void => {
    const entries: Dirent<Buffer>[] = readdirSync(directory, { withFileTypes: true, encoding: 'buffer' });
    for (const entry of entries) {
      const path = Buffer.concat([directory, Buffer.from('/'), entry.name]);
      const key = `${prefix}/${entry.name.toString('latin1')}`;
      found.set(key, describe(path));
      if (entry.isDirectory()) visit(path, key);
    }
  };
  visit(Buffer.from(root), '');
  return found;
}

function describe(path: Buffer): string {
  const stats = lstatSync(path);
  const mode = (stats.mode & 0o777).toString(8);
  const time = Math.floor(stats.mtimeMs / 1000);
  if (stats.isSymbolicLink()) return `link ${readlinkSync(path, { encoding: 'buffer' }).toString('latin1')}`;
  if (stats.isDirectory()) return `directory ${mode} ${time}`;
  if (!stats.isFile()) return 'special';
  return `file ${mode} ${time} ${stats.size} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
}
