import { randomBytes } from 'node:crypto';
import { createRepository } from '@onevault/backup-format';
import { type Clock, type Logger, Scope } from '@onevault/base';
import { compose, type Settings } from '@onevault/composition';
import { repositorySettings } from '../work/repository-settings.ts';
import type { StateDeps } from './state-deps.ts';

export interface PlaceDeps {
  readonly settings: Settings;
  readonly secretsDirectory: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Opens a repository as its setting says; with `create` it is made, encrypted where the setting names a secret. */
export function placeOpener({ settings, secretsDirectory, clock, logger }: PlaceDeps): StateDeps['openPlace'] {
  return async ({ name, place, secretFile }, { create, ...options }) => {
    const own = repositorySettings(settings, secretsDirectory, { name, place, ...(secretFile !== undefined && { secretFile }) });
    const composition = compose(own, logger, clock);
    if (!create) return composition.openRepository(options);
    await using scope = new Scope();
    const secret = await composition.secret(options);
    const store = scope.use(composition.openStore());
    const repository = await createRepository(store, secret === undefined ? {} : { encryption: { secret } }, { clock, randomBytes, logger }, options);
    scope.move(); // from here on the repository gives the store back
    return repository;
  };
}
