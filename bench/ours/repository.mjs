import { existsSync } from 'node:fs';
import { createRepository, fileStore, openRepository } from '@onevault/backup-format';
import { systemClock } from '@onevault/base';

const DEPS = { clock: systemClock };

/** The repository in `path`, made with `init` (by default as the product makes one) if there is none yet. */
export function repositoryIn(path, init = {}) {
  return existsSync(path) ? openRepository(fileStore(path), DEPS) : createRepository(fileStore(path), init, DEPS);
}

/** The restore point committed last. */
export async function newestPoint(repository) {
  let newest;
  for await (const listed of repository.points()) {
    if (listed.kind === 'damaged') throw listed.error;
    newest = listed.point;
  }
  if (newest === undefined) throw new Error(`${repository.location} has no restore point`);
  return newest;
}
