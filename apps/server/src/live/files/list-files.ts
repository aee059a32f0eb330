import type { vmSchemas } from '@onevault/api';
import { escapeName, type GuestEntry, type GuestFileSystem } from '@onevault/guest-files';
import type { z } from 'zod';
import type { FileSession } from './file-sessions.ts';

type ListingAnswer = z.output<typeof vmSchemas.fileListing>;
type EntryAnswer = z.output<typeof vmSchemas.fileEntry>;

export interface Place {
  readonly filesystem: string | undefined;
  readonly path: Buffer;
}

/** `/` for no bytes at all. */
export function placeOf({ filesystem, path }: { readonly filesystem?: string | undefined; readonly path: string }): Place {
  const bytes = Buffer.from(path, 'base64url');
  return { filesystem, path: bytes.length === 0 ? Buffer.from('/') : bytes };
}

/**
 * File systems, and what is in a directory of one of them: of the one that is named, or of the only one. Not with the caller's signal: an abort would end the session for
 * everybody, so whoever goes away leaves it to finish.
 */
export async function listFiles(session: FileSession, { filesystem, path }: Place, limit: number): Promise<ListingAnswer> {
  using _turn = await session.turn.take();
  const systems = await session.fileSystems();
  const device = filesystem ?? onlyReadable(systems);
  const entries = device === undefined ? [] : await entriesOf(session, device, path);
  return {
    filesystems: systems.map(systemAnswer),
    ...(device !== undefined && { filesystem: device }),
    entries: entries.slice(0, limit).map(entryAnswer),
    truncated: entries.length > limit,
  };
}

async function entriesOf({ files }: FileSession, device: string, path: Buffer): Promise<GuestEntry[]> {
  await files.useFileSystem(device);
  return files.list(path);
}

function onlyReadable(systems: readonly GuestFileSystem[]): string | undefined {
  const [only, ...others] = systems.filter(({ problem }) => problem === undefined);
  return others.length === 0 ? only?.device : undefined;
}

function systemAnswer({ device, type, label, uuid, sizeBytes, problem }: GuestFileSystem): ListingAnswer['filesystems'][number] {
  return { device, type, ...(label !== undefined && { label }), ...(uuid !== undefined && { uuid }), sizeBytes, ...(problem !== undefined && { problem }) };
}

const TYPES = new Set(['file', 'directory', 'symlink']);

function entryAnswer({ name, facts }: GuestEntry): EntryAnswer {
  const text = { name: escapeName(name), nameBytes: name.toString('base64url') };
  if (facts === undefined) return { ...text, type: 'other', sizeBytes: 0 };
  const modifiedAt = dateText(facts.modifiedMs);
  return {
    ...text,
    type: TYPES.has(facts.type) ? (facts.type as 'file' | 'directory' | 'symlink') : 'other',
    sizeBytes: facts.sizeBytes,
    mode: facts.mode,
    uid: facts.uid,
    gid: facts.gid,
    ...(modifiedAt !== undefined && { modifiedAt }),
    ...(facts.target !== undefined && { target: escapeName(facts.target) }),
  };
}

/** A guest may claim any time: years of four digits are told. */
function dateText(ms: number): string | undefined {
  const text = Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : '';
  return /^\d{4}-/.test(text) ? text : undefined;
}
