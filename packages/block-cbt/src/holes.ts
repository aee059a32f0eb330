import { fstat } from 'node:fs';
import { constants } from 'node:os';
import { promisify } from 'node:util';
import { readFailure } from './errors.ts';

/** <unistd.h> of Linux. */
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** Where a sparse file has data, as its file system knows it. Offsets in bytes, aligned to nothing. */
export interface HoleMap {
  /** The first offset at or behind `offset` that may hold data; undefined when the rest of the file is a hole. */
  nextData(offset: number): Promise<number | undefined>;
  /** The first offset behind `offset`, which lies in data, that is in a hole; the end of the file counts as one. */
  nextHole(offset: number): Promise<number>;
}

interface HoleMapSource {
  readonly path: string;
  readonly fd: number;
  readonly sizeBytes: number;
}

/**
 * The hole map of an open regular file, by lseek(2). Undefined where there is none to have: a block device, a file system without SEEK_DATA, or a
 * platform where the foreign-function module does not load. Then everything counts as data.
 */
export async function openHoleMap(source: HoleMapSource): Promise<HoleMap | undefined> {
  if (!(await promisify(fstat)(source.fd)).isFile()) return undefined;
  const seek = await loadSeek();
  if (!seek) return undefined;
  const probe = await seek(source.fd, 0, SEEK_HOLE);
  return probe.errno === 0 ? holeMap(seek, source) : undefined;
}

function holeMap(seek: Seek, source: HoleMapSource): HoleMap {
  // One question answers for a whole stretch of hole and data: a file without holes costs two calls, not two an extent.
  let known = { asked: 0, data: 0, end: 0 };

  async function ask(offset: number, whence: number): Promise<number | undefined> {
    const { position, errno } = await seek(source.fd, offset, whence);
    if (errno === 0) return Math.min(position, source.sizeBytes);
    if (errno === constants.errno.ENXIO) return undefined; // nothing but a hole up to the end
    const cause = Object.assign(new Error(`lseek failed with error ${errno}`), { errno: -errno });
    throw readFailure(source.path, { offset, length: source.sizeBytes - offset }, cause);
  }

  return {
    async nextData(offset) {
      if (offset >= known.asked && offset < known.end) return Math.max(offset, known.data);
      const data = await ask(offset, SEEK_DATA);
      if (data === undefined || data >= source.sizeBytes) return undefined;
      known = { asked: offset, data, end: (await ask(data, SEEK_HOLE)) ?? source.sizeBytes };
      return data;
    },
    async nextHole(offset) {
      if (offset >= known.data && offset < known.end) return known.end;
      return (await ask(offset, SEEK_HOLE)) ?? source.sizeBytes;
    },
  };
}

/** errno 0 means that `position` is the answer. */
type Seek = (fd: number, offset: number, whence: number) => Promise<{ readonly position: number; readonly errno: number }>;

let loaded: Promise<Seek | undefined> | undefined;

function loadSeek(): Promise<Seek | undefined> {
  loaded ??= bindSeek().catch(() => undefined); // an optional part: without it everything is read
  return loaded;
}

/** Node has no lseek. The calls run on koffi's threads: a network file system may take its time to answer. */
async function bindSeek(): Promise<Seek> {
  const { default: koffi } = await import('koffi');
  const lseek = koffi.load(null).func('int64_t lseek(int fd, int64_t offset, int whence)');
  return (fd, offset, whence) =>
    new Promise((resolve, reject) => {
      lseek.async(fd, offset, whence, (error: unknown, position: number) => {
        if (error) reject(error);
        else resolve({ position, errno: position < 0 ? koffi.errno() : 0 });
      });
    });
}
