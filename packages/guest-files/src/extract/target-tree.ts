import { constants } from 'node:fs';
import { lchown, link, lstat, lutimes, mkdir, open, symlink } from 'node:fs/promises';
import { EntryRefused, targetFailed } from './entry-refused.ts';
import { HeldDirectory } from './held-directory.ts';
import { writeSparse } from './write-sparse.ts';

/** What a file is to have besides its bytes. */
export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch. */
  readonly modified: number;
}

export interface AttributeChoice {
  /** Owner and group as in the guest: by number, and as root only. */
  readonly ownership: boolean;
  /** Set-user-id and set-group-id bits. */
  readonly setId: boolean;
}

/** Directories open at a time: each is a descriptor. */
const MAX_DEPTH = 512;

interface Level {
  readonly name: Buffer;
  readonly directory: HeldDirectory;
  readonly made: boolean;
  /** Set when the directory is left: what is written into it would change its time, and its mode may forbid it. */
  attributes: Attributes | undefined;
}

/**
 * Writes below one directory of this machine and nowhere else. Nothing that exists is overwritten, followed or changed: existing directories are entered, every
 * file is made anew (O_EXCL). Throws EntryRefused and system errors; after either the next entry can be written.
 */
export class TargetTree implements AsyncDisposable {
  readonly #root: HeldDirectory;
  readonly #choice: AttributeChoice;
  #levels: Level[] = [];

  private constructor(root: HeldDirectory, choice: AttributeChoice) {
    this.#root = root;
    this.#choice = choice;
  }

  /** Makes the directory when there is none. Throws FILES_TARGET_FAILED. */
  static async open(target: string, choice: AttributeChoice): Promise<TargetTree> {
    try {
      await mkdir(target, { recursive: true, mode: 0o700 });
      return new TargetTree(await HeldDirectory.open(target), choice);
    } catch (error) {
      throw targetFailed(target, error);
    }
  }

  /** The root itself keeps its attributes: it is not of the guest. */
  async directory(path: readonly Buffer[], attributes: Attributes): Promise<void> {
    await this.#enter(path);
    const level = this.#levels.at(-1);
    if (level?.made) level.attributes = attributes;
  }

  async file(path: readonly Buffer[], sizeBytes: number, body: AsyncIterable<Buffer>, attributes: Attributes): Promise<void> {
    const { parent, name } = await this.#place(path);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    await using file = await open(parent.at(name), flags, 0o600);
    await writeSparse(file, body, sizeBytes);
    if (this.#choice.ownership) await file.chown(attributes.uid, attributes.gid);
    await file.chmod(this.#mode(attributes));
    await file.utimes(time(attributes), time(attributes));
  }

  /** As it is written in the guest: nothing here ever follows it. */
  async symlink(path: readonly Buffer[], target: Buffer, attributes: Attributes): Promise<void> {
    const { parent, name } = await this.#place(path);
    const at = parent.at(name);
    await symlink(target, at);
    if (this.#choice.ownership) await lchown(at, attributes.uid, attributes.gid);
    await lutimes(at, time(attributes), time(attributes));
  }

  /** A second name of a file below the root; of anything else it is refused. */
  async hardLink(path: readonly Buffer[], existing: readonly Buffer[]): Promise<void> {
    const held: HeldDirectory[] = [];
    try {
      let from = this.#root;
      for (const name of existing.slice(0, -1)) {
        from = await from.openBelow(name);
        held.push(from);
      }
      const source = from.at(existing.at(-1) ?? Buffer.alloc(0));
      const stats = await lstat(source).catch((error: unknown) => {
        throw new EntryRefused('link-target', { cause: error });
      });
      if (!stats.isFile()) throw new EntryRefused('link-target');
      const { parent, name } = await this.#place(path);
      await link(source, parent.at(name));
    } finally {
      for (const directory of held.reverse()) await directory[Symbol.asyncDispose]();
    }
  }

  async #place(path: readonly Buffer[]): Promise<{ readonly parent: HeldDirectory; readonly name: Buffer }> {
    const name = path.at(-1);
    if (name === undefined) throw new EntryRefused('escapes');
    return { parent: await this.#enter(path.slice(0, -1)), name };
  }

  /** Leaves the directories that are not on the way, enters those that are. */
  async #enter(path: readonly Buffer[]): Promise<HeldDirectory> {
    if (path.length > MAX_DEPTH) throw new EntryRefused('too-deep');
    const shared = this.#levels.findIndex(({ name }, at) => !path[at]?.equals(name));
    if (shared >= 0) await this.#leaveTo(shared);
    for (const name of path.slice(this.#levels.length)) {
      const { directory, made } = await this.#current().enter(name);
      this.#levels.push({ name, directory, made, attributes: undefined });
    }
    return this.#current();
  }

  #current(): HeldDirectory {
    return this.#levels.at(-1)?.directory ?? this.#root;
  }

  async #leaveTo(depth: number): Promise<void> {
    while (this.#levels.length > depth) {
      const level = this.#levels.pop();
      await using directory = level?.directory;
      const attributes = level?.attributes;
      if (directory === undefined || attributes === undefined) continue;
      if (this.#choice.ownership) await directory.handle.chown(attributes.uid, attributes.gid);
      await directory.handle.chmod(this.#mode(attributes));
      await directory.handle.utimes(time(attributes), time(attributes));
    }
  }

  #mode({ mode }: Attributes): number {
    return mode & (this.#choice.setId ? 0o7777 : 0o1777);
  }

  /** Gives the directories that are still open their attributes. */
  async finish(): Promise<void> {
    await this.#leaveTo(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { directory } of this.#levels.splice(0)) await directory[Symbol.asyncDispose]();
    await this.#root[Symbol.asyncDispose]();
  }
}

/** What a file system can hold; a guest may claim any number. */
function time({ modified }: Attributes): number {
  return Math.min(Math.max(modified, -(2 ** 31)), 2 ** 34);
}
