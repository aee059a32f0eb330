import { join } from 'node:path';
import type { SecretSource, Settings } from '@onevault/composition';
import { ServerError } from '../errors.ts';
import type { WorkOrder } from '../ports/work-order.ts';

type RepositoryPlace = NonNullable<WorkOrder['repository']>;

/** Settings of this process for one of the repositories; its secret is a file in the secrets directory. Throws SERVER_SETTINGS_INVALID. */
export function repositorySettings(own: Settings, secretsDirectory: string, { place, secretFile }: RepositoryPlace): Settings {
  return { ...own, repo: place, secret: secretFile === undefined ? undefined : secretOf(secretsDirectory, secretFile) };
}

/** A name, not a path: whoever may write settings may not read any file of this machine with them. What ends in `.key` is a key file, everything else a passphrase. */
function secretOf(directory: string, name: string): SecretSource {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/.test(name)) {
    throw new ServerError({
      code: 'SERVER_SETTINGS_INVALID',
      message: `'${name}' is no name of a file in the secrets directory`,
      hint: 'letters, digits, dots, dashes and underscores; the file lies in the secrets directory itself',
    });
  }
  return { kind: name.endsWith('.key') ? 'keyFile' : 'file', path: join(directory, name) };
}
