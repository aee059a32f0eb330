import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '@onevault/base';
import { SimError } from '../errors.ts';
import { type WorldData, worldSchema } from './world-schema.ts';

const STATE_FILE = 'state.json';

/** Keeps the world in `<dir>/state.json`: temp, fsync, rename, fsync of the directory, so that a kill leaves the old state or the new one. */
export class WorldStore {
  readonly #dir: string;
  readonly #read: () => unknown;
  readonly #sync: boolean;
  #saving: Promise<void> | undefined;
  #queued: Promise<void> | undefined;

  /** `sync` false: survives a kill of the process, not of the machine. */
  constructor(dir: string, read: () => unknown, options: { readonly sync: boolean } = { sync: true }) {
    this.#sync = options.sync;
    this.#dir = dir;
    this.#read = read;
  }

  /** Resolves once a state that includes every change made so far is durable; calls that come during a write share the next one. */
  commit(): Promise<void> {
    if (this.#queued !== undefined) return this.#queued;
    if (this.#saving === undefined) return this.#start();
    const queued = this.#saving
      .catch(() => undefined)
      .then(() => {
        this.#queued = undefined;
        return this.#start();
      });
    this.#queued = queued;
    return queued;
  }

  #start(): Promise<void> {
    const saving = this.#write(JSON.stringify(this.#read())).finally(() => {
      if (this.#saving === saving) this.#saving = undefined;
    });
    this.#saving = saving;
    return saving;
  }

  async #write(json: string): Promise<void> {
    const target = join(this.#dir, STATE_FILE);
    const file = await open(`${target}.tmp`, 'w');
    try {
      await file.writeFile(json);
      if (this.#sync) await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${target}.tmp`, target);
    if (!this.#sync) return;
    const directory = await open(this.#dir, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}

/** The state kept in `dir`, or undefined when there is none yet. */
export async function loadWorld(dir: string): Promise<WorldData | undefined> {
  const path = join(dir, STATE_FILE);
  let text: string;
  try {
    await mkdir(dir, { recursive: true });
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw unusable(dir, error);
  }
  try {
    return worldSchema.parse(JSON.parse(text));
  } catch (error) {
    throw damaged(path, error);
  }
}

function unusable(dir: string, cause: unknown): SimError {
  return new SimError({
    code: 'SIM_DIR_UNUSABLE',
    message: `the simulator cannot use ${dir}`,
    cause,
    hint: 'name a directory that can be created and written',
  });
}

function damaged(path: string, cause: unknown): SimError {
  return new SimError({ code: 'SIM_STATE_DAMAGED', message: `${path} is not a simulator's state`, cause, hint: 'use an empty directory, or remove this one' });
}
