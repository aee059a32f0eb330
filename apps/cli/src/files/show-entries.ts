import { escapeName, type GuestEntry } from '@onevault/guest-files';
import type { Output } from '../render/output.ts';
import { toStdout } from './byte-output.ts';
import { entryDocument, entryLine } from './entry-text.ts';
import type { FilesFlags } from './files-flags.ts';

export interface LsFlags extends FilesFlags {
  readonly recursive?: boolean;
  readonly null?: boolean;
}

interface Shown {
  readonly pointId: string;
  readonly path: Buffer;
}

/** What `files ls` prints, whoever has read the directory: as it comes, but for `--json`, which is one document. */
export async function showEntries(
  context: Parameters<typeof toStdout>[0] & { readonly output: Output },
  { pointId, path }: Shown,
  entries: AsyncIterable<GuestEntry>,
  flags: LsFlags,
): Promise<void> {
  if (flags.null === true) return toStdout(context, nullEnded(entries));
  const { output } = context;
  const collected: object[] = [];
  let count = 0;
  for await (const entry of entries) {
    count++;
    if (output.mode === 'text') output.line(entryLine(entry, flags.recursive === true ? entry.path : entry.name));
    else if (output.mode === 'jsonl') output.document('files.entry', entryDocument(entry));
    else collected.push(entryDocument(entry));
  }
  const about = { pointId, path: escapeName(path), pathBase64: path.toString('base64'), count };
  output.document('files.ls', output.mode === 'json' ? { ...about, entries: collected } : about);
}

async function* nullEnded(entries: AsyncIterable<GuestEntry>): AsyncGenerator<Buffer> {
  for await (const { path } of entries) yield Buffer.concat([path, Buffer.alloc(1)]);
}
