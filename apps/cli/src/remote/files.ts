import type { Answer, ApiFile } from '@onevault/api';
import { escapeName, type GuestEntry, unescapeName } from '@onevault/guest-files';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { toNewFile, toStdout } from '../files/byte-output.ts';
import { type FilesFlags, pathOf } from '../files/files-flags.ts';
import { type LsFlags, showEntries } from '../files/show-entries.ts';
import { printable, renderTable } from '../render/table.ts';
import { formatBytes } from '../render/units.ts';
import { refuseFlags } from './not-through-server.ts';
import type { RemoteContext } from './remote-context.ts';
import { type RemotePoint, selectRemotePoint } from './remote-points.ts';

type Listing = Answer<'listFiles'>;

/** A server looks at all disks of a point, one file system at a time. */
const WHOLE = { disk: '--disk' };
const PLACES = { ...WHOLE, root: '--root' };
/** Names in one directory, as many as a server tells. */
const LIMIT = 20_000;

export async function remoteFileSystems(context: RemoteContext, text: string, flags: FilesFlags & { readonly systems?: boolean }): Promise<ExitCode> {
  refuseFlags(flags, { ...WHOLE, systems: '--systems' });
  const { output } = context;
  const point = await selectRemotePoint(context, text, flags.vm);
  const { filesystems } = await listing(context, point, undefined, Buffer.from('/'), 1);
  const columns = [
    { name: 'FS', value: ({ device }: Listing['filesystems'][number]) => device },
    { name: 'TYPE', value: ({ type }: Listing['filesystems'][number]) => type },
    { name: 'LABEL', value: ({ label }: Listing['filesystems'][number]) => label },
    { name: 'SIZE', align: 'right' as const, value: ({ sizeBytes }: Listing['filesystems'][number]) => formatBytes(sizeBytes) },
    { name: 'UUID', value: ({ uuid }: Listing['filesystems'][number]) => uuid },
  ];
  for (const line of renderTable(columns, filesystems)) output.line(line);
  for (const { device, problem } of filesystems) if (problem !== undefined) output.line(`not readable: ${printable(device)}: ${printable(problem)}`);
  output.document('files.filesystems', {
    pointId: point.id,
    fileSystems: filesystems.map(({ device, type, label = null, uuid = null, sizeBytes, problem = null }) => ({
      device,
      diskId: null,
      type,
      label,
      uuid,
      sizeBytes,
      usedBytes: null,
      problem,
    })),
  });
  return EXIT.ok;
}

export async function remoteLs(context: RemoteContext, text: string, typed: string, flags: LsFlags): Promise<ExitCode> {
  refuseFlags(flags, PLACES);
  const point = await selectRemotePoint(context, text, flags.vm);
  const path = absolute(pathOf(typed, flags));
  const entries = entriesBelow(context, point, flags.fs, path, flags.recursive === true);
  await showEntries(context, { pointId: point.id, path }, entries, flags);
  return EXIT.ok;
}

/** As the guest's names sort; never through a link. */
async function* entriesBelow(context: RemoteContext, point: RemotePoint, fs: string | undefined, path: Buffer, deep: boolean): AsyncGenerator<GuestEntry> {
  const { filesystem, filesystems, entries, truncated } = await listing(context, point, fs, path, LIMIT);
  if (filesystem === undefined) throw whichFileSystem(filesystems);
  if (truncated) context.output.warn(`${escapeName(path)} has more than ${LIMIT} entries: the rest is not shown`);
  for (const told of entries) {
    const entry = entryOf(told, path);
    yield entry;
    if (deep && told.type === 'directory') yield* entriesBelow(context, point, filesystem, entry.path, deep);
  }
}

function entryOf({ nameBytes, type, sizeBytes, mode, uid = 0, gid = 0, modifiedAt, target }: Listing['entries'][number], below: Buffer): GuestEntry {
  const name = Buffer.from(nameBytes, 'base64url');
  const path = Buffer.concat([below.equals(Buffer.from('/')) ? Buffer.alloc(0) : below, Buffer.from('/'), name]);
  if (mode === undefined) return { path, name, facts: undefined };
  const facts = { type, sizeBytes, mode, uid, gid, modifiedMs: modifiedAt === undefined ? Number.NaN : Date.parse(modifiedAt), inode: 0, links: 1 };
  return { path, name, facts: { ...facts, target: target === undefined ? undefined : unescapeName(target) } as GuestEntry['facts'] };
}

interface CatFlags extends FilesFlags {
  readonly offset?: number;
  readonly length?: number;
}

export async function remoteCat(context: RemoteContext, text: string, typed: string, flags: CatFlags): Promise<ExitCode> {
  refuseFlags(flags, { ...PLACES, offset: '--offset', length: '--length' });
  const file = await read(context, text, typed, flags);
  if (isArchive(file)) throw await notMeant(file, `${typed} is a directory`, 'files ls lists it, files tar reads all of it');
  await toStdout(context, file.body);
  return EXIT.ok;
}

interface TarFlags extends FilesFlags {
  readonly output: string;
  readonly attributes?: boolean;
}

/** The archive that the server makes: what it leaves out it does not say. */
export async function remoteTar(context: RemoteContext, text: string, typed: string, flags: TarFlags): Promise<ExitCode> {
  refuseFlags(flags, { ...PLACES, attributes: '--attributes', maxSize: '--max-size' });
  const toFile = flags.output !== '-';
  if (!toFile && context.around.stdoutIsTerminal)
    throw usageError('stdout is a terminal: it would be filled with an archive', 'redirect it: > FILE or | PROGRAM, or name a file with --output');
  const file = await read(context, text, typed, flags);
  if (!isArchive(file)) throw await notMeant(file, `${typed} is no directory`, 'files cat reads a file');
  let bytes = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of file.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength;
      yield chunk;
    }
  }
  await (toFile ? toNewFile(context, counted(), flags.output) : toStdout(context, counted()));
  const line = `files action=tar result=ok archive=${bytes}`;
  if (toFile) context.output.line(line);
  else context.output.note(line);
  context.output.document('files.tar', { result: 'ok', archiveBytes: bytes });
  return EXIT.ok;
}

async function read(context: RemoteContext, text: string, typed: string, flags: FilesFlags): Promise<ApiFile> {
  const { client, signal } = context;
  const { repository, id: pointId } = await selectRemotePoint(context, text, flags.vm);
  const path = absolute(pathOf(typed, flags)).toString('base64url');
  return client.file('readFile', { params: { repository, pointId }, query: { filesystem: flags.fs, path } }, { signal });
}

function isArchive({ contentType }: ApiFile): boolean {
  return contentType.startsWith('application/x-tar');
}

async function notMeant({ body }: ApiFile, message: string, hint: string): Promise<Error> {
  await body.cancel();
  return usageError(message, hint);
}

async function listing(
  { client, signal }: RemoteContext,
  { repository, id: pointId }: RemotePoint,
  filesystem: string | undefined,
  path: Buffer,
  limit: number,
): Promise<Listing> {
  return client.call('listFiles', { params: { repository, pointId }, query: { filesystem, path: path.toString('base64url'), limit } }, { signal });
}

function absolute(path: Buffer): Buffer {
  const trimmed = path
    .toString('latin1')
    .replace(/^\/*/, '/')
    .replace(/(?<=.)\/+$/, '');
  return Buffer.from(trimmed, 'latin1');
}

function whichFileSystem(known: Listing['filesystems']): Error {
  const readable = known.filter(({ problem }) => problem === undefined).map(({ device }) => device);
  return usageError(
    readable.length === 0 ? 'no file system of these disks can be read' : `there are ${readable.length} file systems`,
    readable.length === 0 ? 'files filesystems says what is on them' : `name one with --fs: ${readable.map(printable).join(', ')}`,
  );
}
