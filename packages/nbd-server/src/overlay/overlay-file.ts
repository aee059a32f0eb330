import { type FileHandle, open, unlink } from 'node:fs/promises';
import { errorCode, Scope } from '@onevault/base';
import { NbdError } from '../errors.ts';
import { GrainMap } from './grain-map.ts';
import {
  decodeHeader,
  encodeHeader,
  GRAIN_BYTES,
  HEADER_BYTES,
  MAP_PAGE_BYTES,
  type OverlayFacts,
  type OverlayLayout,
  overlayLayout,
} from './overlay-layout.ts';
import { lockOverlay } from './overlay-lock.ts';

/** The file of an overlay, locked and checked: its map in memory, and its bytes. */
export class OverlayFile implements AsyncDisposable {
  readonly map: GrainMap;
  readonly layout: OverlayLayout;
  readonly #file: FileHandle;
  readonly #owned: Scope;

  private constructor(file: FileHandle, layout: OverlayLayout, map: GrainMap, owned: Scope) {
    this.#file = file;
    this.layout = layout;
    this.map = map;
    this.#owned = owned;
  }

  /**
   * Opens an overlay of the disk that `facts` tell of, or makes an empty one where there is no file. `temporary` removes it in the end.
   * Throws NBD_OVERLAY_MISMATCH for an overlay of another disk, NBD_OVERLAY_INVALID, NBD_OVERLAY_IN_USE, and the system's errors.
   */
  static async open(path: string, facts: OverlayFacts, options: { readonly temporary?: boolean } = {}): Promise<OverlayFile> {
    await using scope = new Scope();
    const file = await openOrMake(path);
    scope.defer(() => file.close());
    const stat = await file.stat({ bigint: true });
    scope.use(await lockOverlay(path, stat));
    const layout = overlayLayout(facts.sizeBytes);
    const map = Buffer.alloc(layout.mapBytes);
    if (stat.size === 0n) await make(file, facts, layout);
    else await load(file, path, facts, map);
    if (options.temporary) scope.defer(() => unlink(path).catch(() => undefined));
    return new OverlayFile(file, layout, new GrainMap(map), scope.move());
  }

  /** `offset` on the disk. */
  async read(offset: number, target: Uint8Array): Promise<void> {
    for (let done = 0; done < target.length; ) {
      const { bytesRead } = await this.#file.read(target, done, target.length - done, this.layout.dataOffset + offset + done);
      // The end of a sparse file that was never written behind: it reads as zeros there.
      if (bytesRead === 0) return void target.fill(0, done);
      done += bytesRead;
    }
  }

  async write(offset: number, data: Uint8Array): Promise<void> {
    for (let done = 0; done < data.length; ) {
      const { bytesWritten } = await this.#file.write(data, done, data.length - done, this.layout.dataOffset + offset + done);
      done += bytesWritten;
    }
  }

  /** Data first, then the map that leads to it: after a loss of power the map never names grains that were not there. */
  async flush(): Promise<void> {
    await this.#file.datasync();
    const pages = this.map.takeDirty();
    try {
      for (const { page, bytes } of pages) await this.#file.write(bytes, 0, bytes.length, HEADER_BYTES + page * MAP_PAGE_BYTES);
      if (pages.length > 0) await this.#file.datasync();
    } catch (error) {
      this.map.redo(pages);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _owned = this.#owned;
    await this.flush();
  }
}

async function openOrMake(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    return await open(path, 'wx+', 0o600);
  }
}

/** The header last: a file without it is empty in the sense of the next one who opens it only when it has no bytes at all. */
async function make(file: FileHandle, facts: OverlayFacts, layout: OverlayLayout): Promise<void> {
  const header = encodeHeader(facts);
  await file.write(header, 0, header.length, 0);
  await file.truncate(layout.dataOffset + layout.grainCount * GRAIN_BYTES);
  await file.sync();
}

async function load(file: FileHandle, path: string, facts: OverlayFacts, map: Buffer): Promise<void> {
  const header = Buffer.alloc(HEADER_BYTES);
  await file.read(header, 0, HEADER_BYTES, 0);
  const found = decodeHeader(header, path);
  if (found.identity !== facts.identity || found.sizeBytes !== facts.sizeBytes)
    throw new NbdError({
      code: 'NBD_OVERLAY_MISMATCH',
      message: `${path} holds what was written over another disk`,
      details: { path, made: found.identity, wanted: facts.identity },
      hint: 'name another file: over this disk its blocks would make no sense',
    });
  await file.read(map, 0, map.length, HEADER_BYTES);
}
