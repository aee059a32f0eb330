import { ObjectPool } from './object-pool.ts';
import { type VersionGate, versionGate } from './version.ts';
import type {
  AclRule,
  Cluster,
  Datastore,
  Group,
  Host,
  Image,
  Network,
  Operation,
  RestData,
  SecurityGroup,
  User,
  Vm,
  VmTemplate,
  WorldData,
} from './world-schema.ts';

/** Everything oned would keep in its database. Mutated in place, synchronously; `World` itself neither reads nor writes files. */
export class World implements VersionGate {
  readonly version: string;
  readonly vms = new ObjectPool<Vm>();
  readonly images = new ObjectPool<Image>();
  readonly datastores = new Map<number, Datastore>();
  readonly hosts = new Map<number, Host>();
  readonly templates = new ObjectPool<VmTemplate>();
  readonly clusters = new Map<number, Cluster>();
  readonly users = new Map<number, User>();
  readonly groups = new Map<number, Group>();
  readonly networks = new Map<number, Network>();
  readonly securityGroups = new Map<number, SecurityGroup>();
  readonly operations = new Map<number, Operation>();
  readonly acls: AclRule[];
  readonly zoneKey: string;
  readonly #next: Map<string, number>;
  #rest: WorldData['rest'];

  /** `rest`: what lay at rest when `data` was written. */
  constructor(data: WorldData, rest: RestData = { vms: [], images: [], templates: [] }) {
    this.version = data.version;
    this.#next = new Map(Object.entries(data.next));
    this.acls = data.acls;
    this.zoneKey = data.zoneKey;
    this.#rest = data.rest;
    this.vms.load(rest.vms, data.vms, data.rest?.gone.vms ?? []);
    this.images.load(rest.images, data.images, data.rest?.gone.images ?? []);
    this.templates.load(rest.templates, data.templates, data.rest?.gone.templates ?? []);
    load(this.datastores, data.datastores);
    load(this.hosts, data.hosts);
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

  /** Lays all VMs, images and templates to rest under that name: `toJSON` leaves them out until they are touched. */
  layToRest(name: string): RestData {
    this.#rest = { name, gone: { vms: [], images: [], templates: [] } };
    return { vms: this.vms.rest(), images: this.images.rest(), templates: this.templates.rest() };
  }

  /** All that is not at rest. */
  toJSON(): WorldData {
    const gone = { vms: this.vms.gone, images: this.images.gone, templates: this.templates.gone };
    return {
      format: 1,
      version: this.version,
      ...(this.#rest ? { rest: { name: this.#rest.name, gone } } : {}),
      next: Object.fromEntries(this.#next),
      vms: this.vms.awake(),
      images: this.images.awake(),
      datastores: [...this.datastores.values()],
      hosts: [...this.hosts.values()],
      templates: this.templates.awake(),
      clusters: [...this.clusters.values()],
      users: [...this.users.values()],
      groups: [...this.groups.values()],
      networks: [...this.networks.values()],
      securityGroups: [...this.securityGroups.values()],
      operations: [...this.operations.values()],
      acls: this.acls,
      zoneKey: this.zoneKey,
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
