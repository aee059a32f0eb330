import { RepositoryError } from '../errors.ts';
import { asBuffer, fromHex, isZero, toHex } from './bytes.ts';
import { tableKey } from './ids.ts';
import { FORMAT_VERSION } from './limits.ts';
import type { StructureOwner } from './structure-sum.ts';

/** docs/format.md section 7. */
export const TABLE_PAGE_BYTES = 4096;
export const TABLE_FOOTER_BYTES = 128;
export const TABLE_TAG_BYTES = 8;
export const FENCE_ITEM_BYTES = 8;
export const ENTRY_BYTES = 44;
export const PACK_ITEM_BYTES = 32;
export const ENTRIES_PER_PAGE = 92;
export const PACKS_PER_PAGE = 126;
const MAGIC = Buffer.from('onevindx', 'ascii');
export const TABLE_ITEMS_AT = 16;
const CHECKSUM_AT = 4064;
const KINDS = {
  entries: { id: 1, itemBytes: ENTRY_BYTES, perPage: ENTRIES_PER_PAGE },
  packs: { id: 2, itemBytes: PACK_ITEM_BYTES, perPage: PACKS_PER_PAGE },
} as const;

export type TablePageKind = keyof typeof KINDS;

export interface TableFooter {
  readonly repositoryId: string;
  readonly tag: Uint8Array;
  readonly entries: number;
  readonly entryPages: number;
  readonly packs: number;
  readonly packPages: number;
  readonly fenceSha256: Uint8Array;
}

export interface TableIdentity extends StructureOwner {
  readonly tableId: string;
}

export function tableSum({ sum, tableId }: TableIdentity, part: Uint8Array): Buffer {
  return sum.of(tableKey(tableId), part);
}

export function encodePackItem(target: Buffer, at: number, pack: { readonly packId: string; readonly packBytes: number; readonly chunks: number }): void {
  fromHex(pack.packId).copy(target, at);
  target.writeUInt32LE(pack.packBytes, at + 16);
  target.writeUInt32LE(pack.chunks, at + 20);
}

/** A page around items that were encoded one after the other. */
export function encodeTablePage(table: TableIdentity, kind: TablePageKind, pageNumber: number, tag: Uint8Array, items: Uint8Array): Buffer {
  const page = Buffer.alloc(TABLE_PAGE_BYTES);
  page.set(items, TABLE_ITEMS_AT);
  sealTablePage(table, page, kind, pageNumber, tag, items.length / KINDS[kind].itemBytes);
  return page;
}

/** Puts head and checksum around items that already lie in their place; the rest of `page` must be zero. */
export function sealTablePage(table: TableIdentity, page: Buffer, kind: TablePageKind, pageNumber: number, tag: Uint8Array, count: number): void {
  page.writeUInt8(KINDS[kind].id, 0);
  page.writeUInt16LE(count, 2);
  page.writeUInt32LE(pageNumber, 4);
  page.set(tag.subarray(0, TABLE_TAG_BYTES), 8);
  tableSum(table, page.subarray(0, CHECKSUM_AT)).copy(page, CHECKSUM_AT);
}

export interface TablePage {
  readonly count: number;
  /** The items, and the zeros after them. */
  readonly items: Buffer;
}

export function decodeTablePage(table: TableIdentity, kind: TablePageKind, pageNumber: number, tag: Uint8Array, bytes: Uint8Array): TablePage {
  const page = asBuffer(bytes);
  const { id, itemBytes, perPage } = KINDS[kind];
  if (page.length !== TABLE_PAGE_BYTES || !tableSum(table, page.subarray(0, CHECKSUM_AT)).equals(page.subarray(CHECKSUM_AT)))
    throw invalid(`has a damaged page ${pageNumber}`);
  const count = page.readUInt16LE(2);
  const agrees = page.readUInt8(0) === id && page.readUInt8(1) === 0 && page.readUInt32LE(4) === pageNumber && page.subarray(8, 16).equals(tag);
  if (!agrees || count < 1 || count > perPage || !isZero(page.subarray(TABLE_ITEMS_AT + count * itemBytes, CHECKSUM_AT)))
    throw invalid(`has another page in the place of page ${pageNumber}`);
  return { count, items: page.subarray(TABLE_ITEMS_AT, CHECKSUM_AT) };
}

export function encodeTableFooter(table: TableIdentity, footer: TableFooter): Buffer {
  const out = Buffer.alloc(TABLE_FOOTER_BYTES);
  MAGIC.copy(out, 0);
  out.writeUInt32LE(FORMAT_VERSION, 8);
  out.writeUInt32LE(TABLE_PAGE_BYTES, 12);
  out.writeBigUInt64LE(BigInt(footer.entries), 16);
  out.writeUInt32LE(footer.entryPages, 24);
  out.writeUInt32LE(footer.packPages, 28);
  out.writeUInt32LE(footer.packs, 32);
  out.set(footer.tag, 40);
  fromHex(footer.repositoryId).copy(out, 48);
  out.set(footer.fenceSha256, 64);
  tableSum(table, out.subarray(0, 96)).copy(out, 96);
  return out;
}

/** Throws REPO_INDEX_INVALID unless the footer is whole, belongs to this repository, and its lengths add up to the size of the table. */
export function decodeTableFooter(table: TableIdentity, bytes: Uint8Array, tableBytes: number): TableFooter {
  const buffer = asBuffer(bytes);
  if (buffer.length !== TABLE_FOOTER_BYTES || !buffer.subarray(0, 8).equals(MAGIC)) throw invalid('does not end in a footer: it is truncated or damaged');
  if (!tableSum(table, buffer.subarray(0, 96)).equals(buffer.subarray(96))) throw invalid('fails the checksum of its footer');
  if (buffer.readUInt32LE(8) !== FORMAT_VERSION) throw invalid(`has the unknown version ${buffer.readUInt32LE(8)}`);
  if (buffer.readUInt32LE(12) !== TABLE_PAGE_BYTES || buffer.readUInt32LE(36) !== 0) throw invalid('has reserved bytes that are not zero');
  const owner = toHex(buffer.subarray(48, 64));
  if (owner !== table.repositoryId) throw invalid(`belongs to the repository ${owner}`);
  const footer = {
    repositoryId: owner,
    entries: Number(buffer.readBigUInt64LE(16)),
    entryPages: buffer.readUInt32LE(24),
    packPages: buffer.readUInt32LE(28),
    packs: buffer.readUInt32LE(32),
    tag: Buffer.from(buffer.subarray(40, 48)),
    fenceSha256: Buffer.from(buffer.subarray(64, 96)),
  };
  const pagesAgree = footer.entryPages === Math.ceil(footer.entries / ENTRIES_PER_PAGE) && footer.packPages === Math.ceil(footer.packs / PACKS_PER_PAGE);
  if (!pagesAgree || tableSize(footer) !== tableBytes) throw invalid(`has lengths that do not add up to its ${tableBytes} bytes`);
  return footer;
}

export function fenceOffset(footer: Pick<TableFooter, 'entryPages' | 'packPages'>): number {
  return TABLE_PAGE_BYTES * (footer.entryPages + footer.packPages);
}

function tableSize(footer: Pick<TableFooter, 'entryPages' | 'packPages'>): number {
  return fenceOffset(footer) + FENCE_ITEM_BYTES * footer.entryPages + TABLE_FOOTER_BYTES;
}

function invalid(message: string): RepositoryError {
  return new RepositoryError({
    code: 'REPO_INDEX_INVALID',
    message: `the index table ${message}`,
    hint: 'it is only an index: chunks it held are stored anew when they come by, and it can be rebuilt from the packs',
  });
}
