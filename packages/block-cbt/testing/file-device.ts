import { mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OpenDeviceOptions, type OpenedDevice, openBlockDevice } from '../src/index.ts';
import { type Piece, writeImage } from './image.ts';

/** A directory of its own under the system's temporary one, removed on disposal. */
export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), 'onevault-cbt-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A device backed by a temporary file. */
export interface FileDevice extends AsyncDisposable {
  readonly device: OpenedDevice;
  /** Changes the size of the file under the open device, as a careless administrator would. */
  resize(sizeBytes: number): Promise<void>;
}

/** Writes the image and opens it; disposal closes the device and removes the file. */
export async function fileDevice(pieces: readonly Piece[], options: OpenDeviceOptions = { direct: 'off' }): Promise<FileDevice> {
  const directory = await temporaryDirectory();
  const path = join(directory.path, 'disk.img');
  await writeImage(path, pieces);
  const device = await openBlockDevice(path, options);
  return {
    device,
    resize: (sizeBytes) => truncate(path, sizeBytes),
    async [Symbol.asyncDispose]() {
      await device[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}
