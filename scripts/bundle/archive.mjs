import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { chmod, rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { TaskError } from '../tools/child.mjs';

/** 1 January 2020: no file is as old as 1970 in anybody's listing, and none says when it was packed. */
const MTIME = '@1577836800';

/** Packs `parent/name` so that order, links into pnpm's store, times, owners and modes do not depend on who packs it; the file appears whole or not at all. */
export async function writeArchive(parent, name, archive) {
  await chmod(`${parent}/${name}/bin/onevault`, 0o755);
  const reproducible = [
    '--sort=name',
    `--mtime=${MTIME}`,
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mode=u+rwX,go+rX,go-w',
    '--hard-dereference',
    '--format=ustar',
  ];
  const tar = spawn('tar', ['-C', parent, ...reproducible, '-cf', '-', name], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(tar, 'close');
  const unfinished = `${archive}.${process.pid}`;
  try {
    await pipeline(tar.stdout, createGzip({ level: 9 }), createWriteStream(unfinished));
    const [code] = await ended;
    if (code !== 0) throw new TaskError(`tar ended with exit code ${code} (GNU tar is needed)`);
    await rename(unfinished, archive);
  } finally {
    await rm(unfinished, { force: true });
  }
}
