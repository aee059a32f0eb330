import { randomBytes } from 'node:crypto';
import { createRepository } from '@onevault/backup-format';
import { type Clock, type Logger, Scope } from '@onevault/base';
import { compose, type Settings } from '@onevault/composition';
import { faultOfPlace } from '../settings/setting-schemas.ts';
import { repositorySettings } from '../work/repository-settings.ts';
import { badRequest } from './bad-request.ts';
import { checkPlace } from './check-place.ts';
import type { StateDeps } from './state-deps.ts';

export interface PlaceDeps {
  readonly settings: Settings;
  readonly secretsDirectory: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Where repositories are, or are to be. */
export function placesOf(deps: PlaceDeps): Pick<StateDeps, 'openPlace' | 'checkPlace'> {
  return { openPlace: placeOpener(deps), checkPlace: placeChecker(deps) };
}

/** Opens a repository as its setting says; with `create` it is made, encrypted where the setting names a secret. */
export function placeOpener({ settings, secretsDirectory, clock, logger }: PlaceDeps): StateDeps['openPlace'] {
  return async ({ name, place, secretFile }, { create, ...options }) => {
    mustBePlace(place);
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

/** What is at a place, whether or not a setting names it. */
function placeChecker({ settings, secretsDirectory, clock, logger }: PlaceDeps): StateDeps['checkPlace'] {
  return async ({ place, secretFile }, options) => {
    mustBePlace(place);
    const own = repositorySettings(settings, secretsDirectory, { name: 'checked', place, ...(secretFile !== undefined && { secretFile }) });
    const composition = compose(own, logger, clock);
    return checkPlace({ place, open: composition.openRepository, openStore: () => composition.openStore(), readSecret: composition.secret, clock }, options);
  };
}

/** Before anything is looked for, or made, there. */
function mustBePlace(place: string): void {
  const fault = faultOfPlace(place);
  if (fault !== undefined)
    throw badRequest(`'${place}' is no place of a repository: ${fault}`, 'For instance /mnt/backup/onevault, or s3://bucket/prefix?endpoint=…');
}
