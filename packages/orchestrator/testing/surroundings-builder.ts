import { type Datastore, datastoreId, type Permissions, type Quotas, type User } from '@onevault/one-client';
import type { Surroundings } from '../src/index.ts';

const NOBODY = { use: false, manage: false, admin: false };
export const ONLY_OWNER: Permissions = { owner: { use: true, manage: true, admin: false }, group: NOBODY, other: NOBODY };
const NO_QUOTA = { datastore: [], network: [], vm: [], image: [] };
export const NO_QUOTAS: Quotas = { own: NO_QUOTA, defaults: NO_QUOTA };

/** An image datastore with room, in cluster 0. */
export function buildDatastore(facts: Partial<Datastore> = {}): Datastore {
  return {
    id: datastoreId(1),
    name: 'default',
    uid: 0,
    gid: 0,
    permissions: ONLY_OWNER,
    lock: undefined,
    type: 0,
    state: 0,
    dsMad: 'fs',
    tmMad: 'qcow2',
    totalMiB: 1_000_000,
    freeMiB: 900_000,
    usedMiB: 100_000,
    availableMiB: 900_000,
    capacityCheck: undefined,
    clusterIds: [0],
    template: {},
    xml: '<DATASTORE/>',
    ...facts,
  };
}

export function buildUser(facts: Partial<User> = {}): User {
  return { id: 0, name: 'oneadmin', gid: 0, groupIds: [0], template: {}, quotas: NO_QUOTAS, xml: '<USER/>', ...facts };
}

/** A 7.0.2 where oneadmin asks, and everything could be read. */
export function buildSurroundings(facts: Partial<Surroundings> = {}): Surroundings {
  return { version: '7.0.2', datastores: [buildDatastore()], caller: { user: buildUser(), rules: [], groupQuotas: NO_QUOTAS }, proxyClusterId: 0, ...facts };
}
