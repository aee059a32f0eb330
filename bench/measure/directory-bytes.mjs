import { readdir, stat } from 'node:fs/promises';

/** The sum of the sizes of all files below `dir`. */
export async function directoryBytes(dir) {
  let bytes = 0;
  for (const entry of await readdir(dir, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += (await stat(`${entry.parentPath ?? entry.path}/${entry.name}`)).size;
  }
  return bytes;
}
