import type { CallOptions } from '@onevault/base';
import type { BackupPolicy, CompiledPolicy, Policy, SnapshotPolicy } from '@onevault/policies';
import type { NotificationChannel } from './notification-channel.ts';

export interface RepositorySetting {
  readonly name: string;
  /** A directory or an S3 URL, never with secrets. */
  readonly place: string;
  /** Name of a file in the secrets directory of whoever opens it. */
  readonly secretFile: string | undefined;
  readonly maintenance: Maintenance;
}

/** When a repository is looked after; undefined: never by itself. */
export interface Maintenance {
  readonly timezone: string;
  /** When space that no restore point needs is given back: a schedule as policies have them. */
  readonly gc: string | undefined;
  readonly verify: string | undefined;
  readonly verifyMode: 'structure' | 'sample' | 'all';
}

/** How many runs may occupy one of each at once; absent: no limit. */
export interface Caps {
  readonly total?: number;
  readonly perHost?: number;
  readonly perDatastore?: number;
  readonly perProxy?: number;
  readonly perRepository?: number;
}

export interface Limits extends Caps {
  /** A worker that is silent for so long is dead; absent: 60. Workers read it when they start. */
  readonly heartbeatSeconds?: number;
}

/** All that people set: files in the state directory, written whole and synced. Immutable: a change makes a new one. */
export interface ServerSettings {
  readonly policies: readonly CompiledPolicy<Policy>[];
  readonly backupPolicies: readonly CompiledPolicy<BackupPolicy>[];
  readonly snapshotPolicies: readonly CompiledPolicy<SnapshotPolicy>[];
  readonly repositories: readonly RepositorySetting[];
  readonly notifications: readonly NotificationChannel[];
  readonly caps: Limits;
  /** Roles that were given by name; everybody else of OpenNebula has `defaultRole`. */
  readonly roles: Readonly<Record<string, 'viewer' | 'operator' | 'admin'>>;
  readonly defaultRole: 'viewer' | 'operator' | 'none';
}

export interface SettingsChange {
  readonly kind: string;
  readonly name: string;
  readonly action: 'create' | 'change' | 'remove' | 'keep';
  readonly diff: string;
  /** Where a repository is from then on. */
  readonly place?: Pick<RepositorySetting, 'place' | 'secretFile'>;
}

export interface SettingsStore {
  current(): ServerSettings;
  /** Everything as one YAML text, without secrets: what `apply` takes. */
  export(): string;
  /** What a YAML text would change. Throws SERVER_SETTINGS_INVALID with every fault. */
  diff(yaml: string): readonly SettingsChange[];
  /**
   * Changes all of it or nothing: one rename decides. What the text does not name stays, unless it says `removeUnlisted: true`: then what the sections that it has
   * do not name goes.
   */
  apply(yaml: string, options?: CallOptions): Promise<readonly SettingsChange[]>;
  /** As it is to stand in its file: nothing that it leaves out is written. Throws POLICY_INVALID, SERVER_SETTINGS_INVALID. */
  putPolicy(document: Readonly<Record<string, unknown>>): Promise<CompiledPolicy<Policy>>;
  /** Throws SERVER_NOT_FOUND. */
  removePolicy(name: string): Promise<void>;
  putRepository(repository: RepositorySetting): Promise<void>;
  /** Throws SERVER_NOT_FOUND, and SERVER_SETTINGS_CONFLICT while a policy names it. */
  removeRepository(name: string): Promise<void>;
  setRole(user: string, role: 'viewer' | 'operator' | 'admin'): Promise<void>;
  /** Reads the files again, after somebody edited them. Throws SERVER_SETTINGS_INVALID with every fault; then what was read before stays. */
  reload(): Promise<void>;
  /** Called after each change. */
  onChange(listener: (settings: ServerSettings) => void): Disposable;
}
