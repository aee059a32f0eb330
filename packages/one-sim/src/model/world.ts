import { type VersionGate, versionGate } from './version.ts';
import type { Cluster, Datastore, Group, Host, Image, Network, Operation, SecurityGroup, User, Vm, VmTemplate, WorldData } from './world-schema.ts';

/** Everything oned would keep in its database. Mutated in place, synchronously; `World` itself neither reads nor writes files. */
export class World implements VersionGate {
  readonly version: string;
  readonly vms = new Map<number, Vm>();
  readonly images = new Map<number, Image>();
  readonly datastores = new Map<number, Datastore>();
  readonly hosts = new Map<number, Host>();
  readonly templates = new Map<number, VmTemplate>();
  readonly clusters = new Map<number, Cluster>();
  readonly users = new Map<number, User>();
  readonly groups = new Map<number, Group>();
  readonly networks = new Map<number, Network>();
  readonly securityGroups = new Map<number, SecurityGroup>();
  readonly operations = new Map<number, Operation>();
  readonly #next: Map<string, number>;

  constructor(data: WorldData) {
    this.version = data.version;
    this.#next = new Map(Object.entries(data.next));
    load(this.vms, data.vms);
    load(this.images, data.images);
    load(this.datastores, data.datastores);
    load(this.hosts, data.hosts);
    load(this.templates, data.templates);
    load(this.clusters, data.clusters);
    load(this.users, data.users);
    load(this.groups, data.groups);
    load(this.networks, data.networks);
    load(this.securityGroups, data.securityGroups);
    load(this.operations, data.operations);
  }

  /** The next id of a pool; ids are never given twice. */
  nextId(pool: string): number {
    const id = this.#next.get(pool) ?? 0;
    this.#next.set(pool, id + 1);
    return id;
  }

  toJSON(): WorldData {
    return {
      format: 1,
      version: this.version,
      next: Object.fromEntries(this.#next),
      vms: [...this.vms.values()],
      images: [...this.images.values()],
      datastores: [...this.datastores.values()],
      hosts: [...this.hosts.values()],
      templates: [...this.templates.values()],
      clusters: [...this.clusters.values()],
      users: [...this.users.values()],
      groups: [...this.groups.values()],
      networks: [...this.networks.values()],
      securityGroups: [...this.securityGroups.values()],
      operations: [...this.operations.values()],
    };
  }

  /** True from 7.0.2 on for `atLeast(7, 0, 2)`. */
  atLeast(major: number, minor: number, patch = 0): boolean {
    return versionGate(this.version).atLeast(major, minor, patch);
  }
}

function load<T extends { readonly id: number }>(pool: Map<number, T>, objects: readonly T[]): void {
  for (const object of objects) pool.set(object.id, object);
}
