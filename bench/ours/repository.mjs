import { existsSync } from 'node:fs';
import { createRepository, fileStore, keyFileSecret, openRepository } from '@onevault/backup-format';
import { systemClock } from '@onevault/base';

const DEPS = { clock: systemClock };
/** A key file, so that what is measured is encryption and not the half second that a passphrase takes. */
const SECRET = keyFileSecret(Buffer.from('a key for benchmarks, known to all: 0123456789'));

/** The repository in `path`, made with `init` (by default as the product makes one) if there is none yet. */
export function repositoryIn(path, init = {}, encrypt = false) {
  if (existsSync(path)) return openRepository(fileStore(path), encrypt ? { ...DEPS, secret: SECRET } : DEPS);
  return createRepository(fileStore(path), encrypt ? { ...init, encryption: { secret: SECRET } } : init, DEPS);
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
