import type { Repository } from '@onevault/backup-format';
import type { CallOptions, Clock, Logger } from '@onevault/base';
import { compose, type Settings } from '@onevault/composition';
import { notFound } from '../errors.ts';
import type { SettingsStore } from '../ports/settings-store.ts';
import { repositorySettings } from '../work/repository-settings.ts';

export interface OpenByNameDeps {
  /** Of this process. */
  readonly own: Settings;
  readonly secretsDirectory: string;
  readonly settings: Pick<SettingsStore, 'current'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Opens a repository as the settings say that it is now; whoever asked closes it. Throws SERVER_NOT_FOUND. */
export function openByName({ own, secretsDirectory, settings, clock, logger }: OpenByNameDeps): (name: string, call: CallOptions) => Promise<Repository> {
  return async (name, call) => {
    const setting = settings.current().repositories.find((repository) => repository.name === name);
    if (setting === undefined) throw notFound('repository');
    const { place, secretFile } = setting;
    const opened = repositorySettings(own, secretsDirectory, { name, place, ...(secretFile !== undefined && { secretFile }) });
    return compose(opened, logger, clock).openRepository(call);
  };
}
