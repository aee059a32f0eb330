import type { z } from 'zod';
import type { RandomWrites } from '../disk/random-writes.ts';
import type { GuestLifeSpec } from '../lifecycle/guest-life.ts';
import type { Monitored } from '../lifecycle/monitor.ts';
import type { OperationTimes, TimedStep } from '../lifecycle/pace.ts';
import type { VmHistory } from '../model/vm-history.ts';
import type { DeviceUse } from '../proxy/device-users.ts';
import type { controlSchemas, leftoverSchema, simStateSchema } from './control-schemas.ts';
import type { FaultRule } from './fault-rules.ts';

export type SimState = z.infer<typeof simStateSchema>;
export type Leftover = z.infer<typeof leftoverSchema>;
export type VmSpec = z.input<(typeof controlSchemas)['createVm']['input']>;
export type UserSpec = z.input<(typeof controlSchemas)['createUser']['input']>;
export type Population = z.input<(typeof controlSchemas)['populate']['input']>;
export type CreatedVm = z.output<(typeof controlSchemas)['createVm']['output']>;

/** What a host has; `pinned`: it takes VMs that are pinned to cores, and no others. */
export interface HostCapacity {
  readonly memoryMiB?: number;
  readonly cpu?: number;
  readonly pinned?: boolean;
  readonly pciDevices?: readonly { readonly shortAddress: string; readonly vendor: string; readonly device: string; readonly class: string }[];
}

/** What OpenNebula has no call for: the guest's own doing, faults, time, and a look behind the scenes. Same in process and over HTTP. */
export interface SimControl {
  /** The guest writes. Resolves when the bytes are in the disk's file. */
  write(vm: number, disk: number, offset: number, bytes: Uint8Array): Promise<void>;
  /** Seeded random blocks at random aligned places. Returns the bytes written. */
  writeRandom(vm: number, disk: number, pattern: RandomWrites): Promise<number>;
  read(vm: number, disk: number, offset: number, length: number): Promise<Uint8Array>;
  /** SHA-256 of the disk as it is now, hexadecimal. */
  checksum(vm: number, disk: number): Promise<string>;
  /** The file the guest's disk is. */
  diskPath(vm: number, disk: number): Promise<string>;
  imagePath(image: number): Promise<string>;
  inject(rule: FaultRule): Promise<void>;
  clearFaults(): Promise<void>;
  setTimes(times: Partial<OperationTimes>): Promise<void>;
  /** Steps of these kinds wait at their end, until `step` or `release`; every kind when none is named. */
  hold(steps?: readonly TimedStep[]): Promise<void>;
  /** Lets that many waiting steps through; returns how many there were. */
  step(count?: number): Promise<number>;
  release(): Promise<void>;
  /** Resolves when no operation is under way. */
  idle(): Promise<void>;
  /** A proxy's device disappears from /sys and /dev, still attached. */
  vanishDevice(vm: number, disk: number): Promise<void>;
  shrinkDevice(vm: number, disk: number, sizeBytes: number): Promise<void>;
  /** Something in a proxy's guest begins to use an attached disk (LVM auto-activation, a mount …): it cannot be detached until it lets go. */
  useDevice(vm: number, disk: number, use: DeviceUse): Promise<void>;
  letGoDevice(vm: number, disk: number): Promise<void>;
  /** As if others had filled the datastore up to that; not `monitored`: oned does not know it before the next operation there ends. */
  setDatastoreFree(datastore: number, freeMiB: number, options?: { readonly monitored?: boolean }): Promise<void>;
  /** So much a host has in all, used or not; a VM that does not fit stays PENDING. CPU in cores. */
  setHostCapacity(host: number, capacity: HostCapacity): Promise<void>;
  setGuestAgent(vm: number, agent: 'none' | 'works' | 'silent'): Promise<void>;
  /** Whether hosts ask the guests' agents when they measure; no, as shipped. */
  setAgentMonitoring(enabled: boolean): Promise<void>;
  /** What guests that boot from now on will do; without that they show no sign of life. */
  expectGuest(life: GuestLifeSpec): Promise<void>;
  /** What a poll of the hypervisor found: the way into UNKNOWN, and out of it. */
  monitored(vm: number, found: Monitored): Promise<void>;
  /** Every state the VM passed through since this simulator started, every pause a driver put on its guest, and every harm done to its data. */
  history(vm: number): Promise<VmHistory>;
  state(): Promise<SimState>;
  /** Everything whose name or serial begins with the prefix and is still there. */
  leftovers(prefix: string): Promise<readonly Leftover[]>;
  /** Registers images, instantiates, waits until RUNNING (or PENDING with a SCHED_MESSAGE). */
  createVm(spec: VmSpec): Promise<CreatedVm>;
  /** A user, and its group when there is none of that name. Quotas and further rules: one.user.quota, one.acl.addrule. */
  createUser(spec: UserSpec): Promise<{ readonly userId: number; readonly groupId: number }>;
  /** Adds the rule `#<user> <rule> *`; the id is what one.acl.delrule takes. */
  grant(user: string, rule: string): Promise<number>;
  /** A big cloud at once: records only, the same for the same arguments. Refused while an operation is under way. */
  populate(spec: Population): Promise<{ readonly vmIds: readonly number[]; readonly imageIds: readonly number[] }>;
  /** Errors inside the simulator itself; a test should find none. */
  unexpectedErrors(): Promise<readonly string[]>;
}
