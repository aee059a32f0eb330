import { readEntry } from '../src/qcow2/entries.ts';
import { type DecodedHeader, decodeHeader } from '../src/qcow2/header.ts';

/** What `qemu-img check` would say, for tests that run without it: every cluster of the file is referenced as often as its refcount says, and has an owner. */
export function checkQcow2(image: Buffer): readonly string[] {
  const header = decodeHeader(image);
  const clusterBytes = 2 ** header.clusterBits;
  const references = new Map<number, number>();
  const refer = (offset: number, length: number): void => {
    for (let cluster = Math.floor(offset / clusterBytes); cluster * clusterBytes < offset + length; cluster++)
      references.set(cluster, (references.get(cluster) ?? 0) + 1);
  };
  refer(0, clusterBytes);
  refer(header.l1Offset, header.l1Entries * 8);
  refer(header.refcountTableOffset, header.refcountTableClusters * clusterBytes);
  const problems = walkTables(image, header, refer);
  const counts = readRefcounts(image, header, refer);
  for (const cluster of new Set([...references.keys(), ...counts.keys()])) {
    if (references.get(cluster) !== counts.get(cluster))
      problems.push(`cluster ${cluster} has ${references.get(cluster) ?? 0} references and a refcount of ${counts.get(cluster) ?? 0}`);
  }
  if (image.length % clusterBytes !== 0) problems.push('the file does not end on a cluster');
  for (let cluster = 0; cluster < image.length / clusterBytes; cluster++) if (!references.has(cluster)) problems.push(`cluster ${cluster} has no owner`);
  return problems;
}

type Refer = (offset: number, length: number) => void;

function walkTables(image: Buffer, header: DecodedHeader, refer: Refer): string[] {
  const clusterBytes = 2 ** header.clusterBits;
  const problems: string[] = [];
  const l1 = image.subarray(header.l1Offset, header.l1Offset + header.l1Entries * 8);
  for (let table = 0; table < header.l1Entries; table++) {
    const l2At = readEntry(l1, table, header.clusterBits);
    if (l2At.kind === 'unallocated') continue;
    refer(l2At.offset, clusterBytes);
    if (!isCopied(l1, table)) problems.push(`L1 entry ${table} is not marked as copied`);
    problems.push(...walkTable(image.subarray(l2At.offset, l2At.offset + clusterBytes), `table ${table}`, header, refer));
  }
  return problems;
}

function walkTable(l2: Buffer, name: string, { clusterBits }: DecodedHeader, refer: Refer): string[] {
  const clusterBytes = 2 ** clusterBits;
  const problems: string[] = [];
  for (let at = 0; at < clusterBytes / 8; at++) {
    const entry = readEntry(l2, at, clusterBits);
    if (entry.kind === 'unallocated') continue;
    if (entry.kind === 'standard' && entry.offset % clusterBytes !== 0) problems.push(`cluster ${at} of ${name} is not aligned`);
    refer(entry.offset, entry.kind === 'standard' ? clusterBytes : entry.length);
    if (isCopied(l2, at) !== (entry.kind === 'standard')) problems.push(`cluster ${at} of ${name} has a wrong copied flag`);
  }
  return problems;
}

function isCopied(table: Buffer, index: number): boolean {
  return (table.readUInt8(index * 8) & 0x80) !== 0;
}

function readRefcounts(image: Buffer, header: DecodedHeader, refer: Refer): Map<number, number> {
  const clusterBytes = 2 ** header.clusterBits;
  const counts = new Map<number, number>();
  for (let block = 0; block < (header.refcountTableClusters * clusterBytes) / 8; block++) {
    const offset = Number(image.readBigUInt64BE(header.refcountTableOffset + block * 8));
    if (offset === 0) continue;
    refer(offset, clusterBytes);
    for (let at = 0; at < clusterBytes / 2; at++) {
      const count = image.readUInt16BE(offset + at * 2);
      if (count > 0) counts.set((block * clusterBytes) / 2 + at, count);
    }
  }
  return counts;
}
