import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeDurably, replaceDurably } from '@onevault/orchestrator';
import { z } from 'zod';
import { ServerError } from '../errors.ts';
import type { SettingsFiles } from './read-settings.ts';

/** A change that was decided: what each file is to hold, null where it goes. It is carried out after a crash too. */
export type FileChange = ReadonlyMap<string, string | null>;

const JOURNAL = '.change.json';
const journalSchema = z.strictObject({ files: z.record(z.string().regex(/^(policies\/)?[a-z0-9-]+\.yaml$/), z.string().nullable()) });

/** Reads what people and we wrote. Editors' own files are passed over. */
export async function readFiles(directory: string): Promise<SettingsFiles> {
  const files = new Map<string, string>();
  try {
    for (const folder of ['', 'policies/']) {
      const entries = await readdir(join(directory, folder), { withFileTypes: true }).catch(unlessMissing);
      for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const path = `${folder}${entry.name}`;
        if (path === 'policies' || /^\.|~$|\.new$/.test(entry.name)) continue;
        files.set(path, await readFile(join(directory, path), 'utf8'));
      }
    }
    return files;
  } catch (error) {
    throw unusable(directory, error);
  }
}

/** All of it or nothing: the rename of the journal decides. */
export async function changeFiles(directory: string, change: FileChange): Promise<void> {
  if (change.size === 0) return;
  try {
    await replaceDurably(directory, join(directory, JOURNAL), JSON.stringify({ files: Object.fromEntries(change) }));
    await carryOut(directory, change);
  } catch (error) {
    throw unusable(directory, error);
  }
}

/** Ends a change that a crash cut short. */
export async function finishChange(directory: string): Promise<void> {
  try {
    const text = await readFile(join(directory, JOURNAL), 'utf8').catch(unlessMissing);
    if (typeof text === 'string') await carryOut(directory, new Map(Object.entries(journalSchema.parse(JSON.parse(text)).files)));
  } catch (error) {
    throw unusable(directory, error);
  }
}

async function carryOut(directory: string, change: FileChange): Promise<void> {
  for (const [path, text] of change) {
    const folder = path.startsWith('policies/') ? join(directory, 'policies') : directory;
    if (text === null) await removeDurably(folder, join(directory, path));
    else await replaceDurably(folder, join(directory, path), text);
  }
  await removeDurably(directory, join(directory, JOURNAL));
}

function unlessMissing(error: unknown): [] {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
  throw error;
}

function unusable(directory: string, cause: unknown): ServerError {
  return new ServerError({
    code: 'SERVER_STATE_UNUSABLE',
    message: `the settings in ${directory} cannot be read or written: ${cause instanceof Error ? cause.message : String(cause)}`,
    details: { directory },
    hint: 'Give the state directory space, and let the user of the server read and write it',
    cause,
  });
}
