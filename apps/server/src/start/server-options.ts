import type { Clock, Logger, Secret } from '@onevault/base';
import type { Settings } from '@onevault/composition';
import type { HttpSettings } from '../http/http-settings.ts';
import type { Redactor } from '../logs/redactor.ts';

/** api: answers, schedules, tells. worker: does runs. all: both, in one process. */
export type ServerRole = 'api' | 'worker' | 'all';

export interface ServerOptions {
  readonly role: ServerRole;
  /** Of this process; the repository in it is not used: those of the server are in its settings. */
  readonly settings: Settings;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** PostgreSQL; absent: the embedded database, which only one process can have. */
  readonly databaseUrl: Secret | undefined;
  readonly http: HttpSettings;
  readonly worker: {
    /** Unique among the workers of a database. */
    readonly name: string;
    /** Runs at once. */
    readonly slots: number;
  };
  readonly clock: Clock;
  readonly logger: Logger;
  /** What the logger takes out: the server makes secrets known to it as it reads them. */
  readonly redactor: Redactor;
  readonly version: string;
}
