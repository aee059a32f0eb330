import { statfs } from 'node:fs/promises';
import type { Clock } from '@onevault/base';
import { Faults } from './control/fault-rules.ts';
import { DiskFile } from './disk/disk-file.ts';
import { Layout } from './layout.ts';
import { Engine } from './lifecycle/engine.ts';
import { GuestLives } from './lifecycle/guest-life.ts';
import { GuestPauses } from './lifecycle/guest-pause.ts';
import type { Pace } from './lifecycle/pace.ts';
import type { World } from './model/world.ts';
import type { Datastore, Vm } from './model/world-schema.ts';
import type { WorldStore } from './model/world-store.ts';
import { GuestTree } from './proxy/guest-tree.ts';

interface DatastoreUsage {
  /** As last monitored. */
  readonly usedMiB: number;
  readonly freeMiB: number;
  /** What does not fit any more, in truth. */
  readonly overflowMiB: number;
}

/** Everything the methods, the operations and the control surface work on: one per simulator. */
export class Cloud {
  readonly world: World;
  readonly store: WorldStore;
  readonly layout: Layout;
  readonly clock: Clock;
  readonly pace: Pace;
  readonly faults = new Faults();
  readonly engine: Engine;
  readonly pauses = new GuestPauses();
  readonly lives = new GuestLives();
  /** Whether hosts ask guest agents: `:enabled` of guestagent.conf. */
  agentMonitoring = false;
  readonly #disks = new Map<string, DiskFile>();
  readonly #guests = new Map<number, GuestTree>();
  #requestId = 0;

  constructor(parts: { readonly world: World; readonly store: WorldStore; readonly dir: string; readonly clock: Clock; readonly pace: Pace }) {
    this.world = parts.world;
    this.store = parts.store;
    this.layout = new Layout(parts.dir);
    this.clock = parts.clock;
    this.pace = parts.pace;
    this.engine = new Engine(this);
  }

  /** Seconds since the epoch. */
  now(): number {
    return Math.floor(this.clock.now().getTime() / 1000);
  }

  nextRequestId(): number {
    this.#requestId = (this.#requestId + 16) % 10_000;
    return this.#requestId;
  }

  /** The same object for the same file, so that guest writes and captures of it meet. */
  disk(path: string): DiskFile {
    let disk = this.#disks.get(path);
    if (!disk) {
      disk = new DiskFile(path);
      this.#disks.set(path, disk);
    }
    return disk;
  }

  /** The guest's device files when this VM is a proxy. */
  guest(vm: Vm): GuestTree | undefined {
    if (!vm.guestTree) return undefined;
    let tree = this.#guests.get(vm.id);
    if (!tree) {
      tree = new GuestTree(this.layout.guest(vm.id), this.layout.guestStaging(vm.id));
      this.#guests.set(vm.id, tree);
    }
    return tree;
  }

  /** Used and free MiB as oned knows them: images at their virtual size plus what others keep there. */
  usage(datastore: Datastore): DatastoreUsage {
    const images = [...this.world.images.values()].filter((image) => image.datastoreId === datastore.id);
    const snapshots = images.flatMap((image) => image.snapshots.snapshots).reduce((sum, snapshot) => sum + snapshot.sizeMiB, 0);
    const usedMiB = datastore.foreignMiB + images.reduce((sum, image) => sum + image.sizeMiB, 0) + snapshots;
    const freeMiB = datastore.monitoredFreeMiB ?? Math.max(0, datastore.totalMiB - usedMiB);
    return { usedMiB: datastore.totalMiB - freeMiB, freeMiB, overflowMiB: Math.max(0, usedMiB - datastore.totalMiB) };
  }

  /** An operation on the datastore ended: what was monitored is what is there (MonitorThread after every image action). */
  refreshUsage(datastoreId: number): void {
    const datastore = this.world.datastores.get(datastoreId);
    if (datastore) delete datastore.monitoredFreeMiB;
  }

  /** MiB really free on the filesystem below the state directory. */
  async realFreeMiB(): Promise<number> {
    const { bavail, bsize } = await statfs(this.layout.dir);
    return Math.floor((bavail * bsize) / 2 ** 20);
  }
}
