import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode } from '@onevault/base';
import { refuseStateOfOthers } from '@onevault/composition';
import { ServerError } from '../errors.ts';

/** Where what matters lies: everything but the database is to be kept in a backup of its own. */
export interface StateDirectory {
  readonly settings: string;
  readonly secrets: string;
  readonly audit: string;
  readonly database: string;
  /** What is to be told and was not yet. */
  readonly notifications: string;
  readonly tokens: string;
  /** Which schedules were dealt with, as the database says too. */
  readonly schedules: string;
}

/** Makes what is missing, for this user alone. Throws SERVER_STATE_UNUSABLE. */
export async function openStateDirectory(path: string): Promise<StateDirectory> {
  await refuseStateOfOthers(path);
  const places = {
    settings: join(path, 'settings'),
    secrets: join(path, 'secrets'),
    audit: join(path, 'audit'),
    database: join(path, 'database'),
    notifications: join(path, 'notifications'),
  };
  try {
    for (const directory of [path, ...Object.values(places)]) await make(directory);
  } catch (error) {
    throw unusable(path, error);
  }
  return { ...places, tokens: join(path, 'tokens.json'), schedules: join(path, 'schedules.json') };
}

/** As `mkdir -p`. Node's own never ends below a directory that takes none and says ENOENT, as /proc does. */
async function make(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    if (await isDirectory(directory)) return;
    const above = dirname(directory);
    if (errorCode(error) !== 'ENOENT' || (await isDirectory(above))) throw error;
    await make(above);
    await mkdir(directory, { mode: 0o700 });
  }
}

async function isDirectory(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() === true;
}

function unusable(path: string, cause: unknown): ServerError {
  return new ServerError({
    code: 'SERVER_STATE_UNUSABLE',
    message: `the state directory ${path} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: 'name a directory that this user may write with --state-dir or ONEVAULT_STATE_DIR',
    cause,
  });
}
