import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { configurationSchemas } from '@onevault/api';
import { isRepositoryError, type ObjectStore, parseStoreUrl, type Repository } from '@onevault/backup-format';
import { type CallOptions, type Clock, errorCode, isBaseError } from '@onevault/base';
import type { z } from 'zod';

export type PlaceCheck = z.output<(typeof configurationSchemas)['placeCheck']>;
type Reason = PlaceCheck['reasons'][number];

export interface CheckDeps {
  readonly place: string;
  /** With the secret that is set for it. */
  readonly open: (options: CallOptions) => Promise<Repository>;
  readonly openStore: () => ObjectStore;
  /** That the secret can be read, where there is one. */
  readonly readSecret: (options: CallOptions) => Promise<unknown>;
  readonly clock: Clock;
}

/** So long a place may take: somebody waits for the answer. */
const LONGEST_MS = 15_000;

/** What is at a place, and what would keep a repository from being used or made there. Writes nothing, and throws nothing but an abort. */
export async function checkPlace(deps: CheckDeps, options: CallOptions): Promise<PlaceCheck> {
  const limit = new AbortController();
  const signal = options.signal === undefined ? limit.signal : AbortSignal.any([options.signal, limit.signal]);
  const answered = new AbortController();
  const late = deps.clock.sleep(LONGEST_MS, { signal: answered.signal }).then(
    () => {
      limit.abort();
      return unusable({ code: 'PLACE_SLOW', text: `it has not answered within ${LONGEST_MS / 1000} seconds`, remedy: 'see to the network or the mount' });
    },
    () => undefined,
  );
  try {
    // A mount whose server is away does not even hear of the abort.
    const check = await Promise.race([late, look(deps, { signal })]);
    return check ?? unusable({ code: 'PLACE_SLOW', text: 'it has not answered' });
  } catch (error) {
    options.signal?.throwIfAborted();
    return unusable(reasonOf(error));
  } finally {
    answered.abort();
  }
}

async function look(deps: CheckDeps, options: CallOptions): Promise<PlaceCheck> {
  try {
    await using repository = await deps.open(options);
    const encrypted = repository.config.encryption !== undefined;
    return { verdict: 'repository', encrypted, ...(await roomAt(deps.place)), reasons: encrypted ? [] : [IN_CLEAR] };
  } catch (error) {
    if (!isRepositoryError(error, 'REPO_NOT_FOUND')) throw error;
  }
  await using store = deps.openStore();
  for await (const { key } of store.list('', options)) {
    if (key.startsWith('keys/')) continue; // of one whose making was broken off
    const text = `there is no repository, but something else: ${key}`;
    return {
      verdict: 'occupied',
      ...(await roomAt(deps.place)),
      reasons: [{ code: 'REPO_NOT_EMPTY', text, remedy: 'name an empty directory, or one below it' }],
    };
  }
  const secret = await deps.readSecret(options);
  const { verdict, reasons } = await newPlace(deps.place);
  return { verdict, ...(await roomAt(deps.place)), reasons: secret === undefined ? [...reasons, IN_CLEAR] : reasons };
}

const IN_CLEAR: Reason = {
  code: 'PLACE_IN_CLEAR',
  text: 'it is not encrypted: who can read the place can read the disks',
  remedy: 'put a passphrase into a file of the secrets directory and name it, before the repository is made',
};

/** Of a place where nothing is. */
async function newPlace(place: string): Promise<Pick<PlaceCheck, 'verdict' | 'reasons'>> {
  const address = parseStoreUrl(place);
  if (address.kind !== 'file') return { verdict: 'empty', reasons: [] };
  const above = await nearestOf(address.path);
  await access(above, constants.W_OK | constants.X_OK).catch((cause: unknown) => {
    throw new NotWritable(above, { cause });
  });
  const reasons: Reason[] = [];
  const isAbsent = above !== address.path;
  if (isAbsent && dirname(address.path) !== above)
    reasons.push({ code: 'PLACE_DEEP', text: `only ${above} exists: every directory below it would be made`, remedy: 'look for a slip in the path' });
  const [here, root] = await Promise.all([stat(above), stat('/')]);
  if (here.dev === root.dev)
    reasons.push({
      code: 'PLACE_ON_SYSTEM_DISK',
      text: 'it is on the same file system as the operating system of the server: restore points would fill it, and go with it',
      remedy: 'mount the storage for backups there first',
    });
  return { verdict: isAbsent ? 'absent' : 'empty', reasons };
}

class NotWritable extends Error {
  readonly code = 'REPO_NOT_WRITABLE';
  readonly hint = 'give it to the user that the server runs as';

  constructor(path: string, options: ErrorOptions) {
    super(`the server may not write in ${path}`, options);
  }
}

/** The path, or the nearest above it that is there. */
async function nearestOf(path: string): Promise<string> {
  const there = await stat(path).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error;
    return undefined;
  });
  return there === undefined ? nearestOf(dirname(path)) : path;
}

async function roomAt(place: string): Promise<Pick<PlaceCheck, 'freeBytes'>> {
  const address = parseStoreUrl(place);
  if (address.kind !== 'file') return {};
  const { bavail, bsize } = await statfs(await nearestOf(address.path));
  return { freeBytes: bavail * bsize };
}

function unusable(reason: Reason): PlaceCheck {
  return { verdict: 'unusable', reasons: [reason] };
}

function reasonOf(error: unknown): Reason {
  const hint = isBaseError(error) || error instanceof NotWritable ? error.hint : undefined;
  return {
    code: errorCode(error) ?? 'PLACE_UNUSABLE',
    text: error instanceof Error ? error.message : String(error),
    ...(hint !== undefined && { remedy: hint }),
  };
}
