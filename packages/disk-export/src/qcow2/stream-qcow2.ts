import type { CallOptions } from '@onevault/base';
import { type ReadRangeOptions, readRange } from '../read-range.ts';
import type { ByteRange, ExportSource } from '../source.ts';
import type { StreamSink } from '../stream-sink.ts';
import { allocatedClusters } from './allocated-clusters.ts';
import { cutClusters } from './cut-clusters.ts';
import { writeStandardEntry } from './entries.ts';
import { clustersFor, ENTRY_BYTES, type Geometry, REFCOUNT_BYTES } from './geometry.ts';
import { encodeHeader } from './header.ts';
import { tailOf } from './host-clusters.ts';

/** Where everything lies, known before the first byte is written. In clusters; the refcount table follows the header. */
interface Plan {
  readonly tableClusters: number;
  readonly refcountBlocks: number;
  /** Of each L2 table: whether there is one. */
  readonly l2Used: readonly boolean[];
  readonly l1First: number;
  readonly l2First: number;
  readonly dataFirst: number;
  readonly total: number;
}

/**
 * Writes an image in one pass, all tables before the data: what is zeros is known from the digests, block by block, and uncompressed clusters have a size that is known.
 * The digests are read twice before the data is. A cluster that turns out to be zeros inside a block of data is written as such.
 */
export async function streamQcow2(
  source: ExportSource,
  range: ByteRange,
  out: { readonly sink: StreamSink; readonly geometry: Geometry; readonly onRun: (doneBytes: number) => void },
  options: ReadRangeOptions,
): Promise<number> {
  const { sink, geometry } = out;
  const { clusterBytes } = geometry;
  const clusters = (): ReturnType<typeof allocatedClusters> => allocatedClusters(source, range, clusterBytes, options);
  const plan = await planImage(clusters(), geometry);
  const layout = {
    l1Offset: plan.l1First * clusterBytes,
    refcountTableOffset: clusterBytes,
    refcountTableClusters: plan.tableClusters,
  };
  await sink.write(encodeHeader(geometry, layout), options);
  await writeRefcounts(sink, plan, geometry, options);
  await sink.write(l1Table(plan, geometry), options);
  for await (const table of l2Tables(clusters(), plan, geometry)) await sink.write(table, options);
  await writeData(sink, clusters(), cutClusters(reported(readRange(source, range, options), out.onRun), clusterBytes), clusterBytes, options);
  return sink.position;
}

async function* reported<T extends { readonly offset: number }>(runs: AsyncIterable<T>, onRun: (doneBytes: number) => void): AsyncGenerator<T, void> {
  for await (const run of runs) {
    onRun(run.offset);
    yield run;
  }
}

type ClusterRuns = AsyncIterable<{ readonly first: number; readonly count: number }>;

async function planImage(runs: ClusterRuns, geometry: Geometry): Promise<Plan> {
  const l2Used = new Array<boolean>(geometry.l1Entries).fill(false);
  let data = 0;
  for await (const { first, count } of runs) {
    data += count;
    for (let table = Math.floor(first / geometry.l2Entries); table * geometry.l2Entries < first + count; table++) l2Used[table] = true;
  }
  const l1Clusters = clustersFor(geometry.l1Entries * ENTRY_BYTES, geometry);
  const l2Count = l2Used.filter(Boolean).length;
  const rest = 1 + l1Clusters + l2Count + data;
  const { blocks, tableClusters } = tailOf(rest, 0, geometry);
  const l1First = 1 + tableClusters + blocks;
  const l2First = l1First + l1Clusters;
  return { tableClusters, refcountBlocks: blocks, l2Used, l1First, l2First, dataFirst: l2First + l2Count, total: rest + blocks + tableClusters };
}

/** Every cluster of such an image has exactly one reference. */
async function writeRefcounts(sink: StreamSink, { tableClusters, refcountBlocks, total }: Plan, geometry: Geometry, options: CallOptions): Promise<void> {
  const { clusterBytes, refcountEntries } = geometry;
  const table = Buffer.alloc(tableClusters * clusterBytes);
  for (let block = 0; block < refcountBlocks; block++) table.writeBigUInt64BE(BigInt((1 + tableClusters + block) * clusterBytes), block * ENTRY_BYTES);
  await sink.write(table, options);
  for (let block = 0; block < refcountBlocks; block++) {
    const counts = Buffer.alloc(clusterBytes);
    const used = Math.min(refcountEntries, total - block * refcountEntries);
    for (let at = 0; at < used; at++) counts.writeUInt16BE(1, at * REFCOUNT_BYTES);
    await sink.write(counts, options);
  }
}

function l1Table({ l2Used, l1First, l2First }: Plan, geometry: Geometry): Buffer {
  const table = Buffer.alloc((l2First - l1First) * geometry.clusterBytes);
  let next = l2First;
  for (const [index, used] of l2Used.entries()) if (used) writeStandardEntry(table, index, next++ * geometry.clusterBytes);
  return table;
}

async function* l2Tables(runs: ClusterRuns, { dataFirst }: Plan, { l2Entries, clusterBytes }: Geometry): AsyncGenerator<Buffer, void> {
  let next = dataFirst;
  let open: { readonly index: number; readonly table: Buffer } | undefined;
  for await (const { first, count } of runs) {
    for (let cluster = first; cluster < first + count; cluster++) {
      const index = Math.floor(cluster / l2Entries);
      if (open?.index !== index) {
        if (open) yield open.table;
        open = { index, table: Buffer.alloc(clusterBytes) };
      }
      writeStandardEntry(open.table, cluster % l2Entries, next++ * clusterBytes);
    }
  }
  if (open) yield open.table;
}

/** Exactly the clusters that were announced. */
async function writeData(
  sink: StreamSink,
  runs: ClusterRuns,
  clusters: AsyncGenerator<{ readonly index: number; readonly data: Uint8Array }, void>,
  clusterBytes: number,
  options: CallOptions,
): Promise<void> {
  try {
    let cluster = await clusters.next();
    for await (const { first, count } of runs) {
      for (let index = first; index < first + count; index++) {
        if (cluster.done === true || cluster.value.index > index) await sink.zeros(clusterBytes, options);
        else {
          if (cluster.value.index < index) throw unannounced(cluster.value.index);
          await sink.write(cluster.value.data, options);
          cluster = await clusters.next();
        }
      }
    }
    if (cluster.done !== true) throw unannounced(cluster.value.index);
  } finally {
    await clusters.return();
  }
}

function unannounced(cluster: number): RangeError {
  return new RangeError(`the digests say that cluster ${cluster} is zeros, and it is not`);
}
