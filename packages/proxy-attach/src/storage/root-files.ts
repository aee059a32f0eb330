import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '@onevault/base';

/** Reads below a directory that looks like `/`. Paths are as the machine itself names them: `/etc/lvm/lvm.conf`. */
export interface RootFiles {
  /** Undefined for what is not there or not readable by us. */
  text(path: string): Promise<string | undefined>;
  exists(path: string): Promise<boolean>;
  /** The first of these that is there. */
  firstOf(paths: readonly string[]): Promise<string | undefined>;
  /** Where a symbolic link points, as written. */
  link(path: string): Promise<string | undefined>;
  /** Names in a directory, sorted; none when it is not there. */
  names(path: string): Promise<readonly string[]>;
}

export function rootFiles(root: string): RootFiles {
  const at = (path: string): string => join(root, path);
  const files: RootFiles = {
    text: async (path) => await readFile(at(path), 'utf8').catch(missing),
    exists: async (path) => (await stat(at(path)).catch(missing)) !== undefined,
    async firstOf(paths) {
      for (const path of paths) if (await files.exists(path)) return path;
      return undefined;
    },
    link: async (path) => await readlink(at(path)).catch(missing),
    names: async (path) => ((await readdir(at(path)).catch(missing)) ?? []).sort(),
  };
  return files;
}

/** A program in any of the directories that distributions put system programs into. */
export function programPaths(name: string): string[] {
  return ['/usr/sbin', '/sbin', '/usr/bin', '/bin', '/usr/lib', '/usr/libexec', '/lib', '/usr/lib/udisks2', '/usr/libexec/udisks2'].map(
    (dir) => `${dir}/${name}`,
  );
}

/** A udev rule file that a distribution ships. */
export function rulePaths(...names: readonly string[]): string[] {
  return names.flatMap((name) => ['/etc/udev/rules.d', '/usr/lib/udev/rules.d', '/lib/udev/rules.d'].map((dir) => `${dir}/${name}`));
}

/** Not there, or not ours to read: the checks say which file they looked for. */
function missing(error: unknown): undefined {
  const code = errorCode(error) ?? '';
  if (!['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'EISDIR', 'EINVAL'].includes(code)) throw error;
}
