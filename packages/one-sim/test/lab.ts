import { readFile } from 'node:fs/promises';
import type { SimState } from '../src/index.ts';
import { startTestSimulator, type TestSimulator } from '../testing/index.ts';

export const MIB = 2 ** 20;

export interface LabOptions {
  readonly datastore: number;
  readonly systemDatastore?: number;
  readonly format?: 'raw' | 'qcow2';
  readonly persistent?: boolean;
  readonly sizeMiB?: number;
  readonly version?: string;
  readonly hypervisor?: 'kvm' | 'lxc';
  readonly guestAgent?: 'none' | 'works' | 'silent';
  /** Disks like the first. */
  readonly disks?: number;
  readonly proxy?: boolean;
}

/** One VM on one driver, and the calls that the drivers' tests make on its first disk; each waits until nothing is under way. */
export interface Lab extends TestSimulator {
  readonly vm: number;
  snapshot(name?: string, disk?: number): Promise<number>;
  remove(snapshot: number, disk?: number): Promise<void>;
  revert(snapshot: number, disk?: number): Promise<void>;
  save(name: string, snapshot: number, disk?: number): Promise<number>;
  /** Saves and tells the state the image ended in. */
  savedAs(name: string, snapshot: number, disk?: number): Promise<string>;
  act(verb: string): Promise<void>;
  look(): Promise<{
    readonly vm: SimState['vms'][number];
    readonly snapshots: readonly number[];
    readonly error: string | undefined;
    readonly images: ReadonlyMap<number, SimState['images'][number]>;
  }>;
  /** The first bytes of an image's file. */
  bytes(image: number, length: number): Promise<string>;
}

export async function lab(options: LabOptions): Promise<Lab> {
  const { version = '7.0.2', hypervisor = 'kvm', guestAgent = 'none', disks = 1, sizeMiB = 1, systemDatastore, proxy = false, ...disk } = options;
  const one = await startTestSimulator({ version, proxy: false });
  const { vmId } = await one.sim.control.createVm({
    name: 'vm',
    hypervisor,
    guestAgent,
    proxy,
    disks: Array.from({ length: disks }, () => ({ sizeMiB, ...disk })),
    ...(systemDatastore === undefined ? {} : { systemDatastore }),
  });
  const settled = async (method: string, ...params: (string | number)[]): Promise<number> => {
    const value = await one.must(method, ...params);
    await one.sim.control.idle();
    return Number(value);
  };
  return {
    ...one,
    vm: vmId,
    snapshot: (name = 's', onDisk = 0) => settled('one.vm.disksnapshotcreate', vmId, onDisk, name),
    remove: async (snapshot, onDisk = 0) => void (await settled('one.vm.disksnapshotdelete', vmId, onDisk, snapshot)),
    revert: async (snapshot, onDisk = 0) => void (await settled('one.vm.disksnapshotrevert', vmId, onDisk, snapshot)),
    save: (name, snapshot, onDisk = 0) => settled('one.vm.disksaveas', vmId, onDisk, name, '', snapshot),
    async savedAs(name, snapshot, onDisk = 0) {
      const image = await settled('one.vm.disksaveas', vmId, onDisk, name, '', snapshot);
      return (await one.sim.control.state()).images.find((candidate) => candidate.id === image)?.stateText ?? 'gone';
    },
    act: async (verb) => void (await settled('one.vm.action', verb, vmId)),
    async look() {
      const state = await one.sim.control.state();
      const vm = state.vms.find((candidate) => candidate.id === vmId);
      if (!vm) throw new Error('no VM');
      return {
        vm,
        snapshots: vm.snapshots.map((candidate) => candidate.id),
        error: vm.error,
        images: new Map(state.images.map((image) => [image.id, image])),
      };
    },
    bytes: async (image, length) => (await readFile(await one.sim.control.imagePath(image))).subarray(0, length).toString('latin1'),
    [Symbol.asyncDispose]: () => one[Symbol.asyncDispose](),
  };
}
