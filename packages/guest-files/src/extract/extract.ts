import type { CallOptions } from '@onevault/base';
import { type StreamLimits, Tally, type TarReport } from '../tar/checked-tar.ts';
import { type Refusal, safeComponents } from '../tar/entry-path.ts';
import { readTar, type TarEntry } from '../tar/tar-reader.ts';
import { EntryRefused, refusalOf } from './entry-refused.ts';
import { type AttributeChoice, TargetTree } from './target-tree.ts';

export type ExtractReport = TarReport;

export interface ExtractOptions extends CallOptions, AttributeChoice {
  /** Directory of this machine; made when there is none. */
  readonly target: string;
  /** Components below it where the archive's root goes. */
  readonly below: readonly Buffer[];
}

/**
 * Unpacks an archive that nobody vouches for below a directory. Entries that lead out of it, that are there already, or that are devices are refused and
 * counted; the others are written. Throws FILES_TAR_INVALID, FILES_LIMIT_EXCEEDED, FILES_TARGET_FAILED.
 */
export async function extractTar(source: AsyncIterable<Buffer>, limits: StreamLimits, options: ExtractOptions): Promise<ExtractReport> {
  const tally = new Tally(limits);
  await using tree = await TargetTree.open(options.target, options);
  for await (const entry of readTar(source)) {
    options.signal?.throwIfAborted();
    tally.count(entry.header.path, entry.header.sizeBytes);
    try {
      await write(tree, entry, options.below);
    } catch (error) {
      tally.refuse(entry.header.path, refusalOf(error, options.target));
    }
  }
  await tree.finish();
  return tally.report();
}

async function write(tree: TargetTree, { header, body }: TarEntry, below: readonly Buffer[]): Promise<void> {
  const path = [...below, ...safe(header.path)];
  switch (header.type) {
    case 'directory':
      return await tree.directory(path, header);
    case 'file':
      return await tree.file(path, header.sizeBytes, body(), header);
    case 'symlink':
      return await tree.symlink(path, header.linkTarget, header);
    case 'hard-link':
      return await tree.hardLink(path, [...below, ...safe(header.linkTarget)]);
    case 'special':
      throw new EntryRefused('special');
    case 'other':
      throw new EntryRefused('unknown');
  }
}

function safe(path: Buffer): readonly Buffer[] {
  const components = safeComponents(path);
  if (components === undefined) throw new EntryRefused('escapes' satisfies Refusal);
  return components;
}
