/**
 * The last step of the build: makes the data directory that `dist` carries, or another file: node prepare-database.js [FILE]
 * Anybody who builds the same makes the same bytes.
 */
import crypto from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packDirectory } from './database/archive.ts';
import { initialize, preparedPath } from './database/data-directory.ts';

/** 1 January 2020, as in the bundle. PostgreSQL makes its system identifier of it, and writes it beside checkpoints and commits. */
const EPOCH = 1_577_836_800_000;

// What initdb asks its process for. The random bytes are for clients without a password: there are no clients.
Date.now = () => EPOCH;
performance.now = () => 0;
crypto.randomFillSync = <T extends NodeJS.ArrayBufferView>(view: T): T => {
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength).fill(0);
  return view;
};

const scratch = await mkdtemp(join(tmpdir(), 'onevault-prepare-'));
try {
  await initialize(join(scratch, 'data'));
  await writeFile(process.argv[2] ?? (await preparedPath()), await packDirectory(join(scratch, 'data')));
} finally {
  await rm(scratch, { recursive: true, force: true });
}
