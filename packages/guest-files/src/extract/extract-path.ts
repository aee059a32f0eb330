import type { CallOptions } from '@onevault/base';
import type { EntryFacts } from '../entry.ts';
import { guestPath } from '../fish/command-line.ts';
import type { Guestfish } from '../fish/guestfish.ts';
import { pathComponents } from '../guest-path.ts';
import { statPath, wrongKind } from '../listing.ts';
import { readGuestFile } from '../read-file.ts';
import { type StreamLimits, Tally } from '../tar/checked-tar.ts';
import { refusalOf } from './entry-refused.ts';
import { type ExtractOptions, type ExtractReport, extractTar } from './extract.ts';
import { type Attributes, TargetTree } from './target-tree.ts';

export interface ExtractTarget extends CallOptions {
  readonly target: string;
  readonly ownership?: boolean;
  readonly setId?: boolean;
}

/** A directory by one archive, which is as fast as it gets and knows hard links; anything else by itself. */
export async function extractPath(fish: Guestfish, path: Uint8Array, limits: StreamLimits, options: ExtractTarget): Promise<ExtractReport> {
  const choice = { ...options, ownership: options.ownership ?? false, setId: options.setId ?? false };
  const { facts } = await statPath(fish, path, options);
  const below = pathComponents(path).slice(-1);
  if (facts === undefined || facts.type === 'directory') {
    const archive = fish.stream('tar-out', (output) => [guestPath(path), output, 'numericowner:true'], options);
    return await extractTar(archive, limits, { ...choice, below });
  }
  if (facts.type !== 'file' && facts.type !== 'symlink') throw wrongKind(path, facts, 'file');
  return await extractOne(fish, path, facts, limits, { ...choice, below });
}

async function extractOne(fish: Guestfish, path: Uint8Array, facts: EntryFacts, limits: StreamLimits, options: ExtractOptions): Promise<ExtractReport> {
  const tally = new Tally(limits);
  await using tree = await TargetTree.open(options.target, options);
  const attributes: Attributes = { mode: facts.mode, uid: facts.uid, gid: facts.gid, modified: facts.modifiedMs / 1000 };
  const sizeBytes = facts.type === 'file' ? facts.sizeBytes : 0;
  tally.count(Buffer.from(path), sizeBytes);
  try {
    if (facts.target !== undefined) await tree.symlink(options.below, facts.target, attributes);
    else await tree.file(options.below, sizeBytes, readGuestFile(fish, path, {}, options), attributes);
  } catch (error) {
    tally.refuse(Buffer.from(path), refusalOf(error, options.target));
  }
  return tally.report();
}
