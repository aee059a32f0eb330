import type { DiskRun } from '../source.ts';
import { isZero } from '../zero.ts';

export interface Cluster {
  readonly index: number;
  /** A whole cluster, padded with zeros at the end of the disk; may be reused after the next step. */
  readonly data: Uint8Array;
}

/** The clusters of a disk that are not zeros, in order. */
export async function* cutClusters(runs: AsyncIterable<DiskRun>, clusterBytes: number): AsyncGenerator<Cluster, void> {
  let open: { readonly index: number; readonly data: Buffer } | undefined;
  for await (const run of runs) {
    for (const { index, start, bytes } of cutRun(run, clusterBytes)) {
      if (open && open.index !== index) {
        yield* unlessZero(open);
        open = undefined;
      }
      if (bytes.length === clusterBytes) yield* unlessZero({ index, data: bytes });
      else {
        // The range does not begin on a cluster, or clusters are larger than blocks.
        open ??= { index, data: Buffer.alloc(clusterBytes) };
        open.data.set(bytes, start);
      }
    }
  }
  if (open) yield* unlessZero(open);
}

function* cutRun(run: DiskRun, clusterBytes: number): Generator<{ readonly index: number; readonly start: number; readonly bytes: Uint8Array }, void> {
  if (run.kind === 'zero') return;
  for (let at = 0; at < run.data.length; ) {
    const index = Math.floor((run.offset + at) / clusterBytes);
    const start = run.offset + at - index * clusterBytes;
    const bytes = run.data.subarray(at, at + clusterBytes - start);
    yield { index, start, bytes };
    at += bytes.length;
  }
}

function* unlessZero(cluster: Cluster): Generator<Cluster, void> {
  if (!isZero(cluster.data)) yield cluster;
}
