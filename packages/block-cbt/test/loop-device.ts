import { execFileSync } from 'node:child_process';
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { type Piece, temporaryDirectory, writeImage } from '../testing/index.ts';

/** A loop device over an image, detached and removed on disposal. Reads behind the end of a truncated backing file fail with EIO (direct I/O only). */
export interface LoopDevice extends AsyncDisposable {
  readonly path: string;
  truncateBacking(sizeBytes: number): void;
}

export async function loopDevice(pieces: readonly Piece[]): Promise<LoopDevice> {
  const directory = await temporaryDirectory();
  const image = join(directory.path, 'loop.img');
  await writeImage(image, pieces);
  const path = execFileSync('losetup', ['--find', '--show', '--direct-io=on', image], { encoding: 'utf8' }).trim();
  return {
    path,
    truncateBacking: (sizeBytes) => truncateSync(image, sizeBytes),
    async [Symbol.asyncDispose]() {
      execFileSync('losetup', ['--detach', path]);
      await directory[Symbol.asyncDispose]();
    },
  };
}
