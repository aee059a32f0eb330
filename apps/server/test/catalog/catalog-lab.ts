import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRepository, type Json, memoryStore, type ObjectStore, openRepository, type Repository } from '@onevault/backup-format';
import { Scope, silentLogger, systemClock } from '@onevault/base';
import { type Database, openDatabase } from '@onevault/run-queue';
import { DatabaseCatalog } from '../../src/catalog/database-catalog.ts';
import { OpenRepositories } from '../../src/catalog/open-repositories.ts';
import type { ServerSettings } from '../../src/ports/settings-store.ts';

export interface CatalogLab extends AsyncDisposable {
  readonly database: Database;
  readonly directory: string;
  /** By the name that the settings have for them. */
  readonly stores: Map<string, ObjectStore>;
  /** Repositories that cannot be reached now. */
  readonly away: Set<string>;
  readonly settings: { current(): ServerSettings };
  openCatalog(): Promise<DatabaseCatalog>;
  /** A repository of its own, in memory, that the settings name. */
  repository(name: string): Promise<Repository>;
}

export const NO_SETTINGS: ServerSettings = {
  policies: [],
  backupPolicies: [],
  snapshotPolicies: [],
  repositories: [],
  notifications: [],
  caps: {},
  roles: {},
  defaultRole: 'viewer',
};

export async function openLab(): Promise<CatalogLab> {
  await using scope = new Scope();
  const directory = await mkdtemp(join(tmpdir(), 'onevault-catalog-'));
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  const database = scope.use(await openDatabase({ kind: 'embedded', directory }, { clock: systemClock }));
  const stores = new Map<string, ObjectStore>();
  const away = new Set<string>();
  const maintenance = { timezone: 'UTC', gc: undefined, verify: undefined, verifyMode: 'sample' } as const;
  const settings = {
    current: (): ServerSettings => ({
      ...NO_SETTINGS,
      repositories: [...stores.keys()].map((name) => ({ name, place: `s3://bucket/${name}`, secretFile: undefined, maintenance })),
    }),
  };
  const repositories = scope.use(
    new OpenRepositories({
      clock: systemClock,
      openRepository: async (name, options) => {
        const store = stores.get(name);
        if (store === undefined || away.has(name)) throw new Error(`${name} is away`);
        return openRepository(
          new Proxy(store, {
            get(target, property) {
              if (away.has(name)) throw new Error(`${name} is away`);
              const value: unknown = Reflect.get(target, property);
              return typeof value === 'function' ? value.bind(target) : value;
            },
          }),
          { clock: systemClock },
          options,
        );
      },
    }),
  );
  const owned = scope.move();
  return {
    database,
    directory,
    stores,
    away,
    settings,
    openCatalog: () => DatabaseCatalog.open({ database, settings, repositories, clock: systemClock, logger: silentLogger }),
    repository: async (name) => {
      const store = memoryStore();
      stores.set(name, store);
      return createRepository(store, {}, { clock: systemClock });
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

export interface PointWish {
  readonly vmId: number;
  readonly capturedAt: string;
  readonly policy?: string;
  readonly group?: string;
  readonly vmXml?: string;
}

/** A restore point without disks. */
export async function addPoint(repository: Repository, { vmId, capturedAt, policy, group = `vm-${vmId}-a`, vmXml }: PointWish): Promise<string> {
  await using writer = await repository.begin({ group, runId: 'run', capturedAt, mode: 'full' });
  if (vmXml !== undefined) await writer.writeMetadata('vm.xml', new TextEncoder().encode(vmXml));
  const annotations: Record<string, Json> = { vm: { id: vmId, name: `vm-${vmId}` }, ...(policy !== undefined && { policy }) };
  return (await writer.commit({ annotations })).id;
}
