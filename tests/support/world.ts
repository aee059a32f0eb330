import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRepository, fileStore, openRepository, type Repository, type VerifyReport } from '@onevault/backup-format';
import { type Clock, Scope, Secret, silentLogger, systemClock } from '@onevault/base';
import { seededRandom } from '@onevault/base/testing';
import { openBlockDevice, openWritableBlockDevice, scan } from '@onevault/block-cbt';
import { createOneClient, datastoreId, diskId, type OneApi, type VmId, vmId } from '@onevault/one-client';
import type { Simulator } from '@onevault/one-sim';
import { NO_TIME, startTestSimulator } from '@onevault/one-sim/testing';
import {
  type BackupRequest,
  type DevicePort,
  fileJournals,
  type JobDeps,
  type JobEvent,
  type JournalStore,
  proxyHotplug,
  type RestoreRequest,
} from '@onevault/orchestrator';
import { createAttacher, readSysfsDisks } from '@onevault/proxy-attach';

/** Sleeps fifty times as short: what takes seconds in a cloud takes milliseconds here, in the same order. */
const hurriedClock: Clock = { ...systemClock, sleep: (ms, options) => systemClock.sleep(ms / 50, options) };

const MIB = 1024 * 1024;
const devices: DevicePort = { open: openBlockDevice, openWritable: openWritableBlockDevice, scan };

/** A simulated cloud with the VM `web` (two image disks, one volatile) and a proxy, an empty repository, and the workflows' dependencies on them. */
export interface World extends AsyncDisposable {
  readonly sim: Simulator;
  readonly cloud: OneApi;
  readonly vm: VmId;
  readonly proxyVm: VmId;
  readonly repository: Repository;
  readonly repositoryPath: string;
  readonly journals: JournalStore;
  readonly events: JobEvent[];
  deps(overrides?: Partial<JobDeps>): JobDeps;
  backupRequest(overrides?: Partial<BackupRequest>): BackupRequest;
  restoreRequest(pointId: string, overrides?: Partial<RestoreRequest>): RestoreRequest;
  /** The bytes of a VM's disk as the guest sees them now. */
  diskBytes(vm: number, disk: number): Promise<Buffer>;
  /** What of ours is left in the cloud, by kind and name. */
  leftovers(): Promise<readonly string[]>;
  verify(): Promise<VerifyReport>;
  /** The repository opened anew, as the next process would. */
  reopen(): Promise<Repository>;
}

export interface WorldOptions {
  readonly seed?: number;
  readonly version?: string;
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
  const { sim } = scope.use(await startTestSimulator({ times: NO_TIME, ...(options.version !== undefined && { version: options.version }) }));
  const cloud = scope.use(createOneClient({ endpoint: sim.endpoint, session: new Secret(`${sim.user}:${sim.password}`), clock: hurriedClock }));
  const { vmId: id } = await sim.control.createVm({
    name: 'web',
    disks: [...(options.disks ?? [{ sizeMiB: 12 }, { sizeMiB: 6 }])],
    volatileMiB: [4],
    nics: [],
  });
  const state = await sim.control.state();
  const proxyVm = vmId(state.vms.find((vm) => vm.proxy)?.id ?? -1);
  for (const disk of state.vms.find((vm) => vm.id === id)?.disks ?? [])
    await sim.control.writeRandom(id, disk.diskId, { seed: seed + disk.diskId, count: 40, blockBytes: 4096 });

  const repositoryPath = join(directory, 'repository');
  const random = seededRandom(seed);
  const repository = scope.use(await createRepository(fileStore(repositoryPath), { blockSizeBytes: MIB / 4 }, { clock: systemClock }));
  const journals = fileJournals({ directory: join(directory, 'journals') });
  const events: JobEvent[] = [];
  const proxyRoot = join(sim.dir, 'proxy', String(proxyVm));
  const deps = (overrides: Partial<JobDeps> = {}): JobDeps => {
    const api = overrides.cloud ?? cloud;
    return {
      cloud: api,
      attacher: createAttacher({ api: proxyHotplug(api, proxyVm), sysfs: (call) => readSysfsDisks(proxyRoot, call), clock: hurriedClock }),
      proxyVm,
      devices,
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
    vm: vmId(id),
    proxyVm,
    repository,
    repositoryPath,
    journals,
    events,
    deps,
    backupRequest: (overrides = {}) => ({ vmId: vmId(id), mode: 'auto', capture: 'auto', excludeDisks: [], parallelDisks: 2, scanWorkers: 1, ...overrides }),
    restoreRequest: (pointId, overrides = {}) => ({ pointId, name: 'web-restored', hold: false, verify: true, scanWorkers: 1, ...overrides }),
    diskBytes: async (vm, disk) => readFile(await sim.control.diskPath(vm, disk)),
    leftovers: async () => {
      const found = [...(await sim.control.leftovers('onevault-')), ...(await sim.control.leftovers('ov-'))];
      return found.filter((entry) => !entry.name.startsWith('onevault-proxy')).map((entry) => `${entry.kind} ${entry.name}`);
    },
    verify: () => verified(repository),
    reopen: () => openRepository(fileStore(repositoryPath), { clock: systemClock }),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

async function verified(repository: Repository): Promise<VerifyReport> {
  const run = repository.verify();
  for (let step = await run.next(); ; step = await run.next()) {
    if (step.done) return step.value;
  }
}

export { datastoreId, diskId };
