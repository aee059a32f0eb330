import { fdatasyncSync } from 'node:fs';
import type { PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';

/** What Emscripten has of files of Node: all but what writes them down (electric-sql/pglite#1107). */
interface NodeFiles {
  readonly NODEFS: {
    readonly stream_ops: { fsync?(stream: { readonly nfd: number }): void };
    tryFSOperation(act: () => void): void;
  };
}

/** A directory in which PostgreSQL's fsync writes down, given that it is asked to: `SYNCED`. */
export class DurableFs extends NodeFS {
  override async init(pg: PGlite, options: Parameters<NodeFS['init']>[1]): ReturnType<NodeFS['init']> {
    const { emscriptenOpts } = await super.init(pg, options);
    const addFsync = (module: unknown): void => {
      const { NODEFS } = module as NodeFiles;
      NODEFS.stream_ops.fsync = ({ nfd }) => NODEFS.tryFSOperation(() => fdatasyncSync(nfd));
    };
    return { emscriptenOpts: { ...emscriptenOpts, preRun: [...(emscriptenOpts.preRun ?? []), addFsync] } };
  }
}

/** fdatasync of a stream does nothing in WebAssembly; fsync calls the above. */
export const SYNCED = ['-c', 'fsync=on', '-c', 'wal_sync_method=fsync'];
