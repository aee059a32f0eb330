import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '@onevault/base';
import { SimError } from '../errors.ts';
import { World } from './world.ts';
import { type RestData, restSchema, type WorldData, worldSchema } from './world-schema.ts';

const STATE_FILE = 'state.json';

/** Keeps the world in `<dir>/state.json`: temp, fsync, rename, fsync of the directory, so that a kill leaves the old state or the new one. */
export class WorldStore {
  readonly #dir: string;
  readonly #world: World;
  readonly #sync: boolean;
  #saving: Promise<void> | undefined;
  #queued: Promise<void> | undefined;

  /** `sync` false: survives a kill of the process, not of the machine. */
  constructor(dir: string, world: World, options: { readonly sync: boolean } = { sync: true }) {
    this.#sync = options.sync;
    this.#dir = dir;
    this.#world = world;
  }

  /**
   * From now on a commit writes what is touched after this call, not what is there: what is there goes into a file of its own first. The state
   * names that file only once it is durable, so a kill in between leaves the old state whole. No operation may be under way.
   */
  async layToRest(): Promise<void> {
    while (this.#saving !== undefined) await this.#saving.catch(() => undefined);
    const before = this.#world.toJSON().rest?.name;
    const name = `rest-${this.#world.nextId('rest')}.json`;
    await this.#save(name, this.#world.layToRest(name));
    await this.commit();
    if (before !== undefined) await rm(join(this.#dir, before), { force: true });
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
    return this.#save(STATE_FILE, this.#world);
  }

  /** One file at a time: a commit that comes meanwhile waits for it. */
  #save(name: string, content: unknown): Promise<void> {
    const saving = this.#write(name, JSON.stringify(content)).finally(() => {
      if (this.#saving === saving) this.#saving = undefined;
    });
    this.#saving = saving;
    return saving;
  }

  async #write(name: string, json: string): Promise<void> {
    const target = join(this.#dir, name);
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

/** The world kept in `dir`, or undefined when there is none yet. */
export async function loadWorld(dir: string): Promise<World | undefined> {
  const path = join(dir, STATE_FILE);
  let text: string;
  try {
    await mkdir(dir, { recursive: true });
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw unusable(dir, error);
  }
  const data = parse(path, text, (value) => worldSchema.parse(value));
  return new World(data, data.rest && (await loadRest(dir, data.rest)));
}

async function loadRest(dir: string, { name }: NonNullable<WorldData['rest']>): Promise<RestData> {
  const path = join(dir, name);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw damaged(path, error);
  });
  return parse(path, text, (value) => restSchema.parse(value));
}

function parse<T>(path: string, text: string, read: (value: unknown) => T): T {
  try {
    return read(JSON.parse(text));
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
