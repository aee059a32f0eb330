import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRepository, fileStore, type ObjectStore, openRepository, type Repository, type VerifyReport } from '@onevault/backup-format';
import { type Clock, Scope, Secret, silentLogger, systemClock } from '@onevault/base';
import { seededRandom } from '@onevault/base/testing';
import { openBlockDevice, openWritableBlockDevice, scan } from '@onevault/block-cbt';
import { createOneClient, diskId, type OneApi, type OneClientOptions, type VmId, vmId } from '@onevault/one-client';
import type { Simulator } from '@onevault/one-sim';
import { NO_TIME, startTestSimulator, type TestSimulator } from '@onevault/one-sim/testing';
import {
  type BackupRequest,
  type DevicePort,
  fileJournals,
  type JobDeps,
  type JobEvent,
  type JournalStore,
  proxyHotplug,
  type Residue,
  type RestoreRequest,
} from '@onevault/orchestrator';
import { type AttacherDeps, chooseIdentification, createAttacher, machineHotplugLock, readSysfsDisks, type WantedIdentification } from '@onevault/proxy-attach';

/** Time runs fifty times as fast: what takes seconds in a cloud takes milliseconds here, in the same order and with the same deadlines. */
export const HURRY = 50;
const hurriedClock: Clock = {
  now: systemClock.now,
  monotonicMs: () => systemClock.monotonicMs() * HURRY,
  sleep: (ms, options) => systemClock.sleep(ms / HURRY, options),
};
/** So long a call may take on a machine that does ten other things: in the hurried time of the client. */
const CALL_TIMEOUT_MS = 10_000 * HURRY;

const MIB = 1024 * 1024;
export const realDevices: DevicePort = { open: openBlockDevice, openWritable: openWritableBlockDevice, scan };

/** A simulated cloud with the VM `web` (two image disks, one volatile) and a proxy, an empty repository, and the workflows' dependencies on them. */
export interface World extends AsyncDisposable {
  readonly sim: Simulator;
  readonly cloud: OneApi;
  /** A call as oneadmin by somebody else's hand; throws unless oned says yes. */
  readonly must: TestSimulator['must'];
  readonly vm: VmId;
  readonly proxyVm: VmId;
  /** What the proxy's attacher is made of, for one that sees another guest or another cloud. */
  readonly attacherDeps: AttacherDeps;
  readonly repository: Repository;
  readonly repositoryPath: string;
  readonly store: ObjectStore;
  readonly journalPath: string;
  readonly journals: JournalStore;
  readonly events: JobEvent[];
  deps(overrides?: Partial<JobDeps>): JobDeps;
  /** Another client of the same oned, less patient; closed with the world. Times in the hurried ms of the world's clock. */
  connect(options: Partial<Pick<OneClientOptions, 'callTimeoutMs' | 'outageMs' | 'http' | 'transport'>>): OneApi;
  backupRequest(overrides?: Partial<BackupRequest>): BackupRequest;
  restoreRequest(pointId: string, overrides?: Partial<RestoreRequest>): RestoreRequest;
  /** The bytes of a VM's disk as the guest sees them now. */
  diskBytes(vm: number, disk: number): Promise<Buffer>;
  /** What of ours is left in the cloud, by kind and name. */
  leftovers(): Promise<readonly string[]>;
  verify(): Promise<VerifyReport>;
  /** VMs that live, images and templates, by name: what a run that failed must not have changed. */
  census(): Promise<Census>;
  /** Runs that are not over, as far as their journals say. */
  unfinishedRuns(): Promise<readonly string[]>;
  /** What runs had to leave, as the state directory remembers it. */
  residue(): Promise<readonly Residue[]>;
  /** The repository opened anew, as the next process would; `wrap` may break its store. */
  reopen(wrap?: (store: ObjectStore) => ObjectStore): Promise<Repository>;
}

export interface Census {
  readonly vms: readonly string[];
  readonly images: readonly string[];
  readonly templates: readonly string[];
}

export interface WorldOptions {
  readonly seed?: number;
  readonly version?: string;
  readonly volatileMiB?: readonly number[];
  readonly hypervisor?: 'kvm' | 'lxc';
  readonly guestAgent?: 'none' | 'works' | 'silent';
  /** So many other VMs in the same cloud, with twice as many images. */
  readonly others?: number;
  /** How disks are plugged into the proxy, where the version is not to decide. */
  readonly identification?: WantedIdentification;
  readonly disks?: readonly {
    readonly sizeMiB: number;
    readonly persistent?: boolean;
    readonly datastore?: number;
    readonly devPrefix?: string;
    readonly format?: 'raw' | 'qcow2';
  }[];
}

export async function makeWorld(options: WorldOptions = {}): Promise<World> {
  const seed = options.seed ?? 20261122;
  await using scope = new Scope();
  const directory = await mkdtemp(join(tmpdir(), 'onevault-world-'));
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  const { sim, must } = scope.use(
    await startTestSimulator({ times: NO_TIME, durable: false, ...(options.version !== undefined && { version: options.version }) }),
  );
  const { others = 0 } = options;
  if (others > 0) await sim.control.populate({ prefix: 'other', vms: others, images: 2 * others });
  const connections = new Scope();
  scope.use(connections);
  const connect: World['connect'] = (client) =>
    connections.use(
      createOneClient({
        endpoint: sim.endpoint,
        session: new Secret(`${sim.user}:${sim.password}`),
        clock: hurriedClock,
        callTimeoutMs: CALL_TIMEOUT_MS,
        ...client,
      }),
    );
  const cloud = connect({});
  const { vmId: id } = await sim.control.createVm({
    name: 'web',
    disks: [...(options.disks ?? [{ sizeMiB: 12 }, { sizeMiB: 6 }])],
    volatileMiB: [...(options.volatileMiB ?? [4])],
    hypervisor: options.hypervisor ?? 'kvm',
    guestAgent: options.guestAgent ?? 'none',
    nics: [],
  });
  const state = await sim.control.state();
  const proxyVm = vmId(state.vms.find((vm) => vm.proxy)?.id ?? -1);
  for (const disk of state.vms.find((vm) => vm.id === id)?.disks ?? [])
    await sim.control.writeRandom(id, disk.diskId, { seed: seed + disk.diskId, count: 40, blockBytes: 4096 });

  const repositoryPath = join(directory, 'repository');
  const random = seededRandom(seed);
  const store = fileStore(repositoryPath);
  const repository = scope.use(await createRepository(store, { blockSizeBytes: MIB / 4 }, { clock: systemClock }));
  const journalPath = join(directory, 'journals');
  const journals = fileJournals({ directory: journalPath });
  const events: JobEvent[] = [];
  const proxyRoot = join(sim.dir, 'proxy', String(proxyVm));
  const identification = chooseIdentification(await cloud.version(), options.identification);
  const attacherDeps: AttacherDeps = {
    api: proxyHotplug(cloud, proxyVm),
    sysfs: (call) => readSysfsDisks(proxyRoot, call),
    clock: hurriedClock,
    identification,
    lock: machineHotplugLock({ clock: hurriedClock, proxyRoot }),
  };
  const deps = (overrides: Partial<JobDeps> = {}): JobDeps => {
    const api = overrides.cloud ?? cloud;
    return {
      cloud: api,
      attacher: createAttacher({ ...attacherDeps, api: proxyHotplug(api, proxyVm) }),
      proxyVm,
      attacherOf: (other) => createAttacher({ api: proxyHotplug(api, other), sysfs: async () => [], clock: hurriedClock, identification }),
      devices: realDevices,
      repository,
      journals,
      clock: hurriedClock,
      randomBytes: (length) => random.bytes(length),
      logger: silentLogger,
      emit: (event) => events.push(event),
      ...overrides,
    };
  };
  const owned = scope.move();
  return {
    sim,
    cloud,
    must,
    vm: vmId(id),
    proxyVm,
    attacherDeps,
    repository,
    repositoryPath,
    store,
    journalPath,
    journals,
    events,
    deps,
    connect,
    backupRequest: (overrides = {}) => ({ vmId: vmId(id), mode: 'auto', capture: 'auto', excludeDisks: [], parallelDisks: 2, scanWorkers: 1, ...overrides }),
    restoreRequest: (pointId, overrides = {}) => ({ pointId, name: 'web-restored', hold: false, verify: true, scanWorkers: 1, ...overrides }),
    diskBytes: async (vm, disk) => readFile(await sim.control.diskPath(vm, disk)),
    leftovers: async () => {
      const found = [...(await sim.control.leftovers('onevault-')), ...(await sim.control.leftovers('ov-'))];
      const names = found.filter((entry) => !entry.name.startsWith('onevault-proxy')).map((entry) => `${entry.kind} ${entry.name}`);
      return [...new Set(names)];
    },
    verify: () => verified(repository),
    async census() {
      const { vms, images, templates } = await sim.control.state();
      const names = (objects: readonly { readonly name: string }[]): string[] => objects.map((object) => object.name).sort();
      return { vms: names(vms.filter((vm) => vm.stateText !== 'DONE')), images: names(images), templates: names(templates) };
    },
    async unfinishedRuns() {
      const runs: string[] = [];
      for await (const { runId } of journals.unfinished()) runs.push(runId);
      return runs;
    },
    async residue() {
      const all: Residue[] = [];
      for await (const one of journals.residue.list()) all.push(one);
      return all;
    },
    reopen: (wrap = (inner) => inner) => openRepository(wrap(fileStore(repositoryPath)), { clock: systemClock }),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

async function verified(repository: Repository): Promise<VerifyReport> {
  const run = repository.verify();
  for (let step = await run.next(); ; step = await run.next()) {
    if (step.done) return step.value;
  }
}

export { diskId };
