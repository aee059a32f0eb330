import type { CallOptions, Clock } from '@onevault/base';
import { type HotplugApi, type ProxyVmView, type SysfsDisk, scsiTargetOf, VIRTIO_SCSI } from '../src/index.ts';
import { noAnswer, OneAnswer, refusal, waitTimeout } from './one-answer.ts';

/** What goes wrong with one attach; an empty record is an attach that works. */
export interface AttachFault {
  /** oned refuses with this text (2048). */
  readonly refuse?: string;
  /** The connection breaks: before oned saw the call, or after it carried it out; `late`: oned sees the call `lateMs` later. */
  readonly unanswered?: 'lost' | 'carried-out' | 'late';
  readonly lateMs?: number;
  /** Accepted, then the driver fails with this text: the DISK goes again, USER_TEMPLATE/ERROR stays. */
  readonly failWith?: string;
  /** The VM body does not repeat SERIAL. */
  readonly bodyWithoutSerial?: boolean;
  /** The VM is found in this STATE when the attach is over. */
  readonly stateAfter?: number;
  readonly guest?: GuestFault;
}

/** How the guest sees the device, where that differs from what was asked. */
export interface GuestFault {
  readonly serial?: 'dropped' | 'twice';
  readonly sizeBytes?: number;
  /** The size is 0 for this long after the device appears. */
  readonly sizelessMs?: number;
  readonly holders?: readonly string[];
  readonly readOnly?: boolean;
  readonly writtenSectors?: number;
  /** The device is at another SCSI target, or on another adapter, than was asked for. */
  readonly scsiTarget?: number;
  readonly scsiDriver?: string;
  /** Another device comes at the same moment: a disk plugged past OpenNebula. */
  readonly companion?: Partial<SysfsDisk>;
  /** After OpenNebula is done; Infinity: never. */
  readonly delayMs?: number;
}

/** What goes wrong with one detach. */
export interface DetachFault {
  readonly refuse?: string;
  /** `late`: the call reaches oned after `lateMs`, long after its sender gave up on it. */
  readonly unanswered?: 'lost' | 'carried-out' | 'late';
  readonly lateMs?: number;
  /** The driver fails with this text; what really goes away is told by `goes`, nothing by default. */
  readonly failWith?: string;
  readonly goes?: 'device' | 'both';
  /** The guest shows the device for this long after OpenNebula is done. */
  readonly lingerMs?: number;
}

export interface FakeProxyOptions {
  readonly clock: Clock;
  /** How long an attach or detach takes; 3 s was measured on a real 7.0.2. */
  readonly hotplugMs?: number;
  /** As OpenNebula before 7.0.2 when false: SERIAL stays in the body, the guest's disk has none. */
  readonly serialReachesGuest?: boolean;
}

type BodyDisk = ProxyVmView['disks'][number];
interface Device extends SysfsDisk {
  readonly diskId: number;
  readonly sizelessUntilMs: number;
}
interface Due {
  readonly atMs: number;
  readonly happen: () => void;
}

const RUNNING = { state: 3, lcmState: 3 };
const HOTPLUG = { state: 3, lcmState: 17 };
const MIB = 1024 ** 2;
/** A device that no disk of the VM body stands for, and that no detach takes away. */
const FOREIGN_DISK = -2;

/**
 * A proxy VM in memory: the VM body as oned keeps it and /sys/block as the guest sees it, both moved by the clock. Boots with vda and a CONTEXT ISO
 * on hda. Transient states are set before a call answers, ids and texts are oned's.
 */
export class FakeProxy {
  readonly api: HotplugApi;
  readonly attachCalls: Readonly<Record<string, string>>[] = [];
  readonly detachCalls: number[] = [];
  /** Times at which /sys was read. */
  readonly sysfsReads: number[] = [];
  readonly #clock: Clock;
  readonly #hotplugMs: number;
  readonly #serialReachesGuest: boolean;
  readonly #images = new Map<number, number>();
  readonly #attachFaults: AttachFault[] = [];
  readonly #detachFaults: DetachFault[] = [];
  #condition: { readonly state: number; readonly lcmState: number } = RUNNING;
  #error: string | undefined;
  #unreachable = false;
  #disks: BodyDisk[] = [{ diskId: 0, imageId: 1, target: 'vda', serial: undefined, sizeMiB: 2048 }];
  #devices: Device[] = [{ ...device('vda', undefined, 2048 * MIB, 1), diskId: 0, holders: ['/'] }];
  #due: Due[] = [];
  #sequence = 1;

  constructor(options: FakeProxyOptions) {
    this.#clock = options.clock;
    this.#hotplugMs = options.hotplugMs ?? 3_000;
    this.#serialReachesGuest = options.serialReachesGuest ?? true;
    this.api = {
      view: (call) => this.#view(call),
      attachDisk: (disk, call) => this.#attach(disk, call),
      detachDisk: (diskId, call) => this.#detach(diskId, call),
      waitFor: (done, call) => this.#waitFor(done, call),
    };
  }

  addImage(imageId: number, sizeMiB: number): void {
    this.#images.set(imageId, sizeMiB);
  }

  /** A disk that somebody else plugged, in the body and in the guest. */
  plug(disk: { readonly imageId?: number; readonly target: string; readonly serial?: string; readonly sizeMiB?: number }): void {
    const diskId = this.#nextDiskId();
    const sizeMiB = disk.sizeMiB ?? 16;
    this.#disks.push({ diskId, imageId: disk.imageId, target: disk.target, serial: disk.serial, sizeMiB });
    this.#devices.push({ ...device(disk.target, disk.serial, sizeMiB * MIB, ++this.#sequence), scsi: scsiOf(disk.target), diskId });
  }

  /** Faults of the next attaches, in order; later ones work. */
  nextAttaches(...faults: readonly AttachFault[]): void {
    this.#attachFaults.push(...faults);
  }

  nextDetaches(...faults: readonly DetachFault[]): void {
    this.#detachFaults.push(...faults);
  }

  setState(state: number, lcmState = 0): void {
    this.#condition = { state, lcmState };
  }

  setError(text: string): void {
    this.#error = text;
  }

  /** Some other operation holds the VM for this long. */
  busyFor(ms: number, lcmState = 26): void {
    this.#condition = { state: 3, lcmState };
    this.#later(ms, () => this.#idle());
  }

  /** Every call from now on fails as on a lost network. */
  disconnect(): void {
    this.#unreachable = true;
  }

  /** The VM body, without time passing. */
  get listed(): readonly BodyDisk[] {
    this.#settle();
    return this.#disks;
  }

  /** The devices that stand for these disks of the body. */
  async devicesOf(disks: readonly BodyDisk[]): Promise<readonly SysfsDisk[]> {
    const paths = this.#devices.filter((seen) => disks.some((disk) => disk.diskId === seen.diskId)).map((seen) => seen.devicePath);
    return (await this.sysfs()).filter((seen) => paths.includes(seen.devicePath));
  }

  async sysfs(options: CallOptions = {}): Promise<readonly SysfsDisk[]> {
    options.signal?.throwIfAborted();
    this.#settle();
    const nowMs = this.#clock.monotonicMs();
    this.sysfsReads.push(nowMs);
    return this.#devices.map(({ diskId: _, sizelessUntilMs, ...disk }) => (nowMs < sizelessUntilMs ? { ...disk, sizeBytes: 0 } : disk));
  }

  async #view(options: CallOptions = {}): Promise<ProxyVmView> {
    options.signal?.throwIfAborted();
    if (this.#unreachable) throw noAnswer('connect ECONNREFUSED', 'no');
    this.#settle();
    return { ...this.#condition, error: this.#error, disks: [...this.#disks], contextDisk: { target: 'hda' } };
  }

  async #waitFor(done: (view: ProxyVmView) => boolean, options: CallOptions & { readonly timeoutMs: number; readonly what: string }): Promise<ProxyVmView> {
    const deadlineMs = this.#clock.monotonicMs() + options.timeoutMs;
    for (;;) {
      const view = await this.#view(options);
      if (done(view)) return view;
      if (this.#clock.monotonicMs() >= deadlineMs) throw waitTimeout(options.what);
      await this.#clock.sleep(1_000, options);
    }
  }

  async #attach(disk: Readonly<Record<string, string>>, options: CallOptions = {}): Promise<void> {
    const fault = this.#admit(this.#attachFaults, options);
    this.#answer(fault, () => this.#carryOutAttach(disk, fault));
  }

  async #detach(diskId: number, options: CallOptions = {}): Promise<void> {
    const fault = this.#admit(this.#detachFaults, options);
    this.#answer(fault, () => this.#carryOutDetach(diskId, fault));
  }

  /** oned carries a call out whether or not the one who asked still listens. */
  #answer(fault: { readonly unanswered?: string; readonly lateMs?: number }, carryOut: () => void): void {
    if (fault.unanswered !== 'late') carryOut();
    else this.#later(fault.lateMs ?? 0, () => unheard(carryOut));
    if (fault.unanswered) throw noAnswer('socket hang up');
  }

  #carryOutAttach(disk: Readonly<Record<string, string>>, fault: AttachFault): void {
    this.attachCalls.push(disk);
    const target = disk['TARGET'] ?? '';
    const imageId = Number(disk['IMAGE_ID']);
    const sizeMiB = this.#images.get(imageId);
    if (!this.#isPluggable())
      throw refusal(`[one.vm.attach] Could not attach a new disk to VM 7, wrong state ${this.#condition.lcmState === 17 ? 'HOTPLUG' : 'HOTPLUG_SAVEAS'}.`);
    if (sizeMiB === undefined) throw refusal(`[one.vm.attach] Image with ID: ${imageId} does not exist`);
    if (this.#disks.some((other) => other.target === target)) throw refusal(`[one.vm.attach] Target ${target} is already in use.`);
    const diskId = this.#nextDiskId();
    this.#disks.push({ diskId, imageId, target, serial: fault.bodyWithoutSerial ? undefined : disk['SERIAL'], sizeMiB });
    this.#condition = HOTPLUG;
    this.#later(this.#hotplugMs, () => {
      this.#idle();
      if (fault.stateAfter !== undefined) this.#condition = { state: fault.stateAfter, lcmState: 0 };
      if (fault.failWith === undefined) return this.#appear(diskId, disk, sizeMiB, fault.guest ?? {});
      this.#disks = this.#disks.filter((other) => other.diskId !== diskId);
      this.#error = fault.failWith;
    });
  }

  #carryOutDetach(diskId: number, fault: DetachFault): void {
    this.detachCalls.push(diskId);
    if (!this.#isPluggable()) throw refusal('[one.vm.detach] Could not detach disk from VM 7, wrong state HOTPLUG.');
    if (!this.#disks.some((disk) => disk.diskId === diskId)) throw refusal(`[one.vm.detach] Could not detach disk with DISK_ID ${diskId}, it does not exist.`);
    const before = this.#condition;
    this.#condition = HOTPLUG;
    this.#later(this.#hotplugMs, () => {
      this.#condition = before;
      if (fault.failWith !== undefined) this.#error = fault.failWith;
      const goes = fault.failWith === undefined ? 'both' : fault.goes;
      if (goes === 'both') this.#disks = this.#disks.filter((disk) => disk.diskId !== diskId);
      if (goes !== undefined) this.#later(fault.lingerMs ?? 0, () => this.#disappear(diskId));
    });
  }

  /** What happens to a call before oned looks at it. */
  #admit<Fault extends { readonly refuse?: string; readonly unanswered?: string }>(faults: Fault[], options: CallOptions): Fault | Record<string, never> {
    options.signal?.throwIfAborted();
    if (this.#unreachable) throw noAnswer('connect ECONNREFUSED', 'no');
    this.#settle();
    const fault = faults.shift();
    if (fault?.refuse !== undefined) throw refusal(fault.refuse);
    if (fault?.unanswered === 'lost') throw noAnswer('socket hang up');
    return fault ?? {};
  }

  #appear(diskId: number, disk: Readonly<Record<string, string>>, sizeMiB: number, fault: GuestFault): void {
    this.#later(fault.delayMs ?? 0, () => {
      const target = disk['TARGET'] ?? '';
      const name = this.#freeName(target.slice(0, 2));
      const scsi = scsiOf(target);
      const seen: Device = {
        ...device(name, this.#serialFor(disk, fault), fault.sizeBytes ?? sizeMiB * MIB, ++this.#sequence),
        diskId,
        scsi: scsi && { ...scsi, target: fault.scsiTarget ?? scsi.target, driver: fault.scsiDriver ?? scsi.driver },
        readOnly: fault.readOnly ?? disk['READONLY']?.toLowerCase() === 'yes',
        holders: fault.holders ?? [],
        writtenSectors: fault.writtenSectors ?? 0,
        sizelessUntilMs: this.#clock.monotonicMs() + (fault.sizelessMs ?? 0),
      };
      this.#devices.push(seen);
      const twin = { name: `${name}x`, devicePath: `/dev/${name}x`, sequence: ++this.#sequence, diskId: fault.serial === 'twice' ? -1 : FOREIGN_DISK };
      if (fault.serial === 'twice') this.#devices.push({ ...seen, ...twin });
      if (fault.companion) this.#devices.push({ ...seen, serial: undefined, ...twin, ...fault.companion });
    });
  }

  #serialFor(disk: Readonly<Record<string, string>>, fault: GuestFault): string | undefined {
    if (!this.#serialReachesGuest) return undefined;
    if (fault.serial !== 'dropped') return disk['SERIAL'];
    const scsiTarget = scsiTargetOf(disk['TARGET'] ?? '');
    return scsiTarget === undefined ? undefined : `drive-scsi0-0-${scsiTarget}-0`;
  }

  /** The guest names devices in the order they come, whatever their TARGET. */
  #freeName(bus: string): string {
    const used = new Set(this.#devices.map((seen) => seen.name));
    const letter = [...'abcdefghijklmnopqrstuvwxyz'].find((candidate) => !used.has(bus + candidate));
    return bus + (letter ?? 'aa');
  }

  #disappear(diskId: number): void {
    this.#devices = this.#devices.filter((seen) => seen.diskId !== diskId && seen.diskId !== -1);
  }

  #isPluggable(): boolean {
    const { state, lcmState } = this.#condition;
    return state === 8 || (state === 3 && lcmState === 3);
  }

  #idle(): void {
    this.#condition = RUNNING;
  }

  /** Highest id plus one, CONTEXT counted: as oned gives them. */
  #nextDiskId(): number {
    return Math.max(1, ...this.#disks.map((disk) => disk.diskId)) + 1;
  }

  #later(ms: number, happen: () => void): void {
    this.#due.push({ atMs: this.#clock.monotonicMs() + ms, happen });
  }

  #settle(): void {
    const nowMs = this.#clock.monotonicMs();
    for (let ready = this.#due.find((due) => due.atMs <= nowMs); ready; ready = this.#due.find((due) => due.atMs <= nowMs)) {
      this.#due = this.#due.filter((due) => due !== ready);
      ready.happen();
    }
  }
}

function device(name: string, serial: string | undefined, sizeBytes: number, sequence: number): Device {
  const facts = { readOnly: false, holders: [], scsi: undefined, writtenSectors: 0, sequence };
  return { name, devicePath: `/dev/${name}`, serial, sizeBytes, ...facts, diskId: 0, sizelessUntilMs: 0 };
}

/** A call whose sender is gone: its refusal reaches nobody. */
function unheard(carryOut: () => void): void {
  try {
    carryOut();
  } catch (error) {
    if (!(error instanceof OneAnswer)) throw error;
  }
}

/** Where vmm/kvm/attach_disk puts an sd disk. */
function scsiOf(target: string): SysfsDisk['scsi'] {
  const scsiTarget = scsiTargetOf(target);
  return scsiTarget === undefined ? undefined : { host: 2, channel: 0, target: scsiTarget, lun: 0, driver: VIRTIO_SCSI };
}
