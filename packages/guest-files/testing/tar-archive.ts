const BLOCK_BYTES = 512;

export interface ArchiveEntry {
  readonly path: Uint8Array | string;
  /** `0` file (default), `1` hard link, `2` symbolic link, `3` device, `5` directory, `6` FIFO, `L`, `K` and `x` extension records, or any other. */
  readonly type?: string;
  readonly link?: Uint8Array | string;
  readonly body?: Uint8Array | string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly modified?: number;
  /** Said in the header in place of the size of `body`. */
  readonly size?: number;
}

/** A tar archive (ustar) of whatever one asks for, also of what no honest program would write. */
export function tarArchive(entries: readonly ArchiveEntry[], options: { readonly end?: boolean } = {}): Buffer {
  const end = options.end === false ? [] : [Buffer.alloc(2 * BLOCK_BYTES)];
  return Buffer.concat([...entries.flatMap(entryBlocks), ...end]);
}

function entryBlocks(entry: ArchiveEntry): Buffer[] {
  const body = Buffer.from(entry.body ?? '');
  const header = Buffer.alloc(BLOCK_BYTES);
  Buffer.from(entry.path).copy(header, 0, 0, 100);
  octal(header, 100, 8, entry.mode ?? 0o644);
  octal(header, 108, 8, entry.uid ?? 0);
  octal(header, 116, 8, entry.gid ?? 0);
  octal(header, 124, 12, entry.size ?? body.length);
  octal(header, 136, 12, entry.modified ?? 0);
  header.write(entry.type ?? '0', 156, 'latin1');
  Buffer.from(entry.link ?? '').copy(header, 157, 0, 100);
  header.write('ustar\u000000', 257, 'latin1');
  header.fill(0x20, 148, 156);
  octal(
    header,
    148,
    7,
    header.reduce((sum, byte) => sum + byte, 0),
  );
  return [header, body, Buffer.alloc((BLOCK_BYTES - (body.length % BLOCK_BYTES)) % BLOCK_BYTES)];
}

function octal(header: Buffer, at: number, length: number, value: number): void {
  header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
}
