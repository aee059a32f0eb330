import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallOptions, errorCode } from '@onevault/base';
import { attempt, journalError, removeDurably, replaceDurably } from './durable-file.ts';
import { parseResidue } from './journal-record.ts';
import type { Residue, ResidueStore } from './residue.ts';

/** One file for each, `<key>.json`: whole or not there. */
export function residueFiles(directory: string): ResidueStore {
  const pathOf = (key: string): string => join(directory, `${key}.json`);
  return {
    put: (residue) => attempt('note what stays', pathOf(residue.key), () => replaceDurably(directory, pathOf(residue.key), `${JSON.stringify(residue)}\n`)),
    forget: (key) => attempt('forget what stayed', pathOf(key), () => forget(directory, pathOf(key))),
    list: (options) => listResidue(directory, options),
  };
}

async function forget(directory: string, path: string): Promise<void> {
  await removeDurably(directory, path).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error;
  });
}

async function* listResidue(directory: string, options: CallOptions = {}): AsyncGenerator<Residue> {
  for (const name of (await namesIn(directory)).filter((entry) => entry.endsWith('.json')).sort()) {
    options.signal?.throwIfAborted();
    const path = join(directory, name);
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return undefined; // forgotten meanwhile
      throw journalError('read what stayed', path, error);
    });
    const residue = text === undefined ? undefined : parseResidue(text);
    if (residue !== undefined) yield residue;
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw journalError('list what stayed', directory, error);
  }
}
