import { type BackupPolicy, backupPolicySchema, type CompiledPolicy, compilePolicy, type PointFacts } from '@onevault/policies';
import type { Catalog, CatalogPoint, RepositoryStanding } from '../src/ports/catalog.ts';
import type { Inventory, InventoryVm } from '../src/ports/inventory.ts';
import type { ServerSettings } from '../src/ports/settings-store.ts';

/** A VM for a test: alice's, of group users, RUNNING, without labels, but for what is said. */
export function inventoryVm(id: number, facts: Partial<InventoryVm['facts']> = {}, overrides: Partial<InventoryVm> = {}): InventoryVm {
  return {
    facts: { id, name: `vm-${id}`, owner: 'alice', group: 'users', labels: [], state: 'RUNNING', datastores: [], attributes: {}, ...facts },
    owned: {
      userId: 2,
      groupId: 1,
      permissions: { owner: { use: true, manage: true, admin: false }, group: {}, other: {} },
    } as unknown as InventoryVm['owned'],
    clusterId: undefined,
    hostId: undefined,
    datastoreIds: [],
    diskCount: 1,
    exists: true,
    ...overrides,
  };
}

export function backupPolicy(name: string, fields: Record<string, unknown> = {}, nowMs = Date.UTC(2026, 10, 1)): CompiledPolicy<BackupPolicy> {
  const policy = backupPolicySchema.parse({
    kind: 'backup',
    name,
    select: { include: ['name=*'] },
    repository: 'main',
    timezone: 'UTC',
    schedules: [{ at: 'every 24h' }],
    rpo: '26h',
    retention: { keepLast: 7 },
    ...fields,
  });
  return compilePolicy(policy, nowMs);
}

export function serverSettings(overrides: Partial<ServerSettings> = {}): ServerSettings {
  const backupPolicies = overrides.backupPolicies ?? [backupPolicy('nightly')];
  return {
    policies: backupPolicies,
    backupPolicies,
    snapshotPolicies: [],
    repositories: [],
    notifications: [],
    caps: {},
    roles: {},
    defaultRole: 'viewer',
    ...overrides,
  };
}

export function repositoryStanding(overrides: Partial<RepositoryStanding> = {}): RepositoryStanding {
  return {
    name: 'main',
    place: '/srv/backup',
    encrypted: true,
    reachable: true,
    problem: undefined,
    points: 2,
    pointBytes: 400,
    storedBytes: 100,
    freeBytes: 1000,
    lastVerifyAt: new Date('2026-11-01T00:00:00Z'),
    damagedPoints: 0,
    ...overrides,
  };
}

/** Inventory and catalog of a fleet, from memory. `capturedMs` answers the newest good restore point of a VM. */
export function fleet(given: {
  readonly vms: readonly InventoryVm[];
  readonly capturedMs: (vmId: number) => number | undefined;
  readonly repositories?: readonly RepositoryStanding[];
}): { readonly inventory: Inventory; readonly catalog: Catalog } {
  const byId = new Map(given.vms.map((vm) => [vm.facts.id, vm]));
  const newest = (vmId: number, repository: string): PointFacts | undefined => {
    const capturedMs = repository === 'main' ? given.capturedMs(vmId) : undefined;
    return capturedMs === undefined ? undefined : { capturedMs, pointId: `p-${vmId}`, repository };
  };
  return {
    inventory: {
      vms: () => given.vms,
      vm: (id) => byId.get(id),
      refreshedAt: new Date('2026-11-01T00:00:00Z'),
      problem: undefined,
      refresh: async () => undefined,
      hasNewProxy: async () => false,
    },
    catalog: {
      ofVm: (vmId) => ({
        count: given.capturedMs(vmId) === undefined ? 0 : 1,
        storedBytes: given.capturedMs(vmId) === undefined ? 0 : 50,
        newest: pointOf(vmId, given.capturedMs(vmId)),
        newestGood: (repository: string) => newest(vmId, repository),
      }),
      listOfVm: async () => ({ items: [], next: undefined }),
      get: async () => undefined,
      repositories: () => given.repositories ?? [repositoryStanding()],
      refresh: async () => undefined,
    } satisfies Catalog,
  };
}

function pointOf(vmId: number, capturedMs: number | undefined): CatalogPoint | undefined {
  if (capturedMs === undefined) return undefined;
  return {
    repository: 'main',
    id: `p-${vmId}`,
    group: `vm-${vmId}`,
    vmId,
    vmName: `vm-${vmId}`,
    capturedAt: new Date(capturedMs),
    committedAt: new Date(capturedMs + 60_000),
    mode: 'incremental',
    consistency: 'crash',
    sizeBytes: 200,
    storedBytes: 50,
    disks: [],
    tags: [],
    held: undefined,
    holds: [],
    damaged: false,
    policy: 'nightly',
  };
}
