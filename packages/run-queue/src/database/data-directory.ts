import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { forEachConcurrent } from '@onevault/base';
import { layOut, unpack } from './archive.ts';

/** At once: a file system writes down several together. */
const SYNCS = 8;

/** Sources lie deeper than what is built from them. */
const DIST = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../../dist/' : './', import.meta.url));

/**
 * Where the build has put the data directory that PGlite makes first of all, packed. Its name has PGlite's version, so that one of another version is none. Made there
 * and not here it costs a tenth of the time and a quarter of the memory.
 */
export async function preparedPath(): Promise<string> {
  const manifest = join(dirname(createRequire(import.meta.url).resolve('@electric-sql/pglite')), '../package.json');
  const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string };
  return join(DIST, `pglite-${version}.br`);
}

/**
 * Makes the data directory of a new database: what was prepared or, where that is missing or not whole, by PGlite itself. It is whole and on the disk when it is there at
 * all: what a killed process left unfinished has another name, and is taken away by the next one. The caller sees that nobody else does the same.
 */
export async function makeDataDirectory(directory: string, options: { readonly preparedPath?: string } = {}): Promise<void> {
  const unfinished = `${directory}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  try {
    const prepared = await readFile(options.preparedPath ?? (await preparedPath()))
      .then(unpack)
      .catch(() => undefined);
    await (prepared === undefined ? initialize(unfinished) : layOut(prepared, unfinished));
    await forEachConcurrent(await readdir(unfinished, { recursive: true }), (path) => sync(join(unfinished, path)), { concurrency: SYNCS });
    await sync(unfinished);
    await rename(unfinished, directory);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true }); // its space is wanted
    throw error;
  }
  await sync(dirname(directory));
}

/** A new data directory by PGlite's own initdb, closed in order. */
export async function initialize(directory: string): Promise<void> {
  const pglite = await PGlite.create({ fs: new NodeFS(directory), startParams: [...PGlite.defaultStartParams, '-c', 'shared_buffers=16MB'] });
  await pglite.close();
}

async function sync(path: string): Promise<void> {
  await using file = await open(path);
  await file.sync();
}
