import type { CallOptions } from '@onevault/base';
import { type EntryFacts, entryFacts, type GuestEntry } from './entry.ts';
import { GuestFilesError } from './errors.ts';
import { commandRefused, refusedBecause } from './fish/appliance-errors.ts';
import { argumentBytes, fitsInList, guestPath, listArgument, listChunks } from './fish/command-line.ts';
import type { Guestfish } from './fish/guestfish.ts';
import { parseStruct, parseStructs } from './fish/structs.ts';
import { joinComponents, pathComponents, splitAt } from './guest-path.ts';
import { escapeName } from './name-text.ts';

export interface ListLimits {
  /** Entries of one directory that are held at a time. */
  readonly maxEntries: number;
}

/** One file or directory; of a symbolic link itself unless it is to be followed. Throws FILES_PATH_NOT_FOUND. */
export async function statPath(fish: Guestfish, path: Uint8Array, options: CallOptions & { readonly follow?: boolean }): Promise<GuestEntry> {
  const { ok, output, said } = await fish.attempt(options.follow === true ? 'statns' : 'lstatns', [guestPath(path)], options);
  if (!ok) throw refusedPath(path, 'look at', said);
  const components = pathComponents(path);
  const stat = parseStruct(output.toString('latin1'));
  const facts = entryFacts(stat, undefined);
  const target = facts?.type === 'symlink' ? await linkTarget(fish, path, options) : undefined;
  return { path: joinComponents(components), name: components.at(-1) ?? Buffer.alloc(0), facts: facts && { ...facts, target } };
}

/** The entries of a directory, by the bytes of their names. Throws FILES_PATH_NOT_FOUND, FILES_PATH_KIND, FILES_LIMIT_EXCEEDED. */
export async function listDirectory(fish: Guestfish, path: Uint8Array, limits: ListLimits, options: CallOptions): Promise<GuestEntry[]> {
  const names = await namesIn(fish, path, limits, options);
  const facts = await factsOf(fish, path, names, options);
  const parent = pathComponents(path);
  return names.map((name, at) => ({ path: joinComponents([...parent, name]), name, facts: facts[at] }));
}

async function namesIn(fish: Guestfish, path: Uint8Array, { maxEntries }: ListLimits, options: CallOptions): Promise<Buffer[]> {
  const names: Buffer[] = [];
  let rest: Buffer = Buffer.alloc(0);
  const received = fish.stream('ls0', (output) => [guestPath(path), output], options);
  try {
    for await (const chunk of received) {
      const parts = splitAt(Buffer.concat([rest, chunk]), 0);
      rest = parts.pop() ?? Buffer.alloc(0);
      names.push(...parts);
      if (names.length > maxEntries || rest.length > 65_536) throw tooManyEntries(path, maxEntries);
    }
  } catch (error) {
    throw error instanceof GuestFilesError && error.code === 'FILES_APPLIANCE_REFUSED' ? await refusedList(fish, path, error, options) : error;
  }
  return names.sort(Buffer.compare);
}

/** ls0 says of a file and of nothing the same: what the path is tells which. */
async function refusedList(fish: Guestfish, path: Uint8Array, error: GuestFilesError, options: CallOptions): Promise<Error> {
  const { facts } = await statPath(fish, path, { ...options, follow: true });
  return facts === undefined || facts.type === 'directory' ? error : wrongKind(path, facts, 'directory');
}

/** In the order of the names. Those that a list of guestfish can hold are asked for together, the others one by one. */
async function factsOf(fish: Guestfish, directory: Uint8Array, names: readonly Buffer[], options: CallOptions): Promise<(EntryFacts | undefined)[]> {
  const facts = new Map<Buffer, EntryFacts | undefined>();
  const reserved = argumentBytes(guestPath(directory));
  for (const batch of listChunks(names.filter(fitsInList), reserved)) {
    const structs = parseStructs((await fish.run('lstatnslist', [guestPath(directory), listArgument(batch)], options)).toString('latin1'));
    if (structs.length !== batch.length) throw commandRefused('lstatnslist', Buffer.from(`${structs.length} answers for ${batch.length} names`));
    for (const [at, name] of batch.entries()) facts.set(name, entryFacts(structs[at] ?? new Map(), undefined));
  }
  const parent = pathComponents(directory);
  for (const name of names) {
    if (fitsInList(name)) continue;
    const { ok, output } = await fish.attempt('lstatns', [guestPath(joinComponents([...parent, name]))], options);
    facts.set(name, ok ? entryFacts(parseStruct(output.toString('latin1')), undefined) : undefined);
  }
  const links = names.filter((name) => facts.get(name)?.type === 'symlink');
  const targets = await targetsOf(fish, directory, links, options);
  return names.map((name) => withTarget(facts.get(name), targets.get(name)));
}

function withTarget(facts: EntryFacts | undefined, target: Buffer | undefined): EntryFacts | undefined {
  return facts === undefined || target === undefined ? facts : { ...facts, target };
}

/** readlinklist separates by line breaks, of which a target may have some: as many lines as links means that none has. */
async function targetsOf(fish: Guestfish, directory: Uint8Array, links: readonly Buffer[], options: CallOptions): Promise<Map<Buffer, Buffer | undefined>> {
  const targets = new Map<Buffer, Buffer | undefined>();
  const parent = pathComponents(directory);
  const alone = links.filter((link) => !fitsInList(link));
  for (const batch of listChunks(links.filter(fitsInList), argumentBytes(guestPath(directory)))) {
    const lines = splitAt(await fish.run('readlinklist', [guestPath(directory), listArgument(batch)], options), LINE_FEED);
    if (lines.length !== batch.length + 1) alone.push(...batch);
    else for (const [at, link] of batch.entries()) targets.set(link, lines[at]);
  }
  for (const link of alone) targets.set(link, await linkTarget(fish, joinComponents([...parent, link]), options));
  return targets;
}

const LINE_FEED = 0x0a;

async function linkTarget(fish: Guestfish, path: Uint8Array, options: CallOptions): Promise<Buffer | undefined> {
  const { ok, output } = await fish.attempt('readlink', [guestPath(path)], options);
  return ok ? output.subarray(0, -1) : undefined;
}

export function wrongKind(path: Uint8Array, facts: EntryFacts, wanted: 'file' | 'directory'): GuestFilesError {
  const text = escapeName(path);
  return new GuestFilesError({
    code: 'FILES_PATH_KIND',
    message: `${text} is a ${facts.type}, not a ${wanted}`,
    details: { path: text },
    ...(facts.type === 'directory' ? { hint: 'a directory is taken by tar or extract' } : {}),
  });
}

function refusedPath(path: Uint8Array, what: string, said: Uint8Array): GuestFilesError {
  if (refusedBecause(said) === 'other') return commandRefused(what, said);
  const text = escapeName(path);
  return new GuestFilesError({
    code: 'FILES_PATH_NOT_FOUND',
    message: `there is no ${text} on this file system`,
    details: { path: text },
    hint: 'list the directory above it; names are told apart by case, and what is mounted below a directory of the guest is another file system',
  });
}

function tooManyEntries(path: Uint8Array, limit: number): GuestFilesError {
  const text = escapeName(path);
  return new GuestFilesError({
    code: 'FILES_LIMIT_EXCEEDED',
    message: `${text} has more than ${limit} entries`,
    details: { path: text, limit },
    hint: 'take it as a whole: tar and extract hold no list',
  });
}
