import { systemClock } from '@onevault/base';
import { expect } from 'vitest';
import {
  type DatastoreId,
  type Disk,
  type Image,
  type ImageId,
  imageGone,
  imageReady,
  type OneApi,
  type OneErrorCode,
  type Vm,
  type VmId,
  vmSettled,
} from '../src/index.ts';

/** What the suite needs of an OpenNebula, real or simulated. Nothing else in it is touched, and everything the suite creates it deletes. */
export interface OneApiFixture extends AsyncDisposable {
  readonly api: OneApi;
  /** A client of the same endpoint whose session oned refuses. */
  readonly stranger: OneApi;
  /** RUNNING on KVM, with a qcow2 disk of a non-persistent image and a volatile disk. */
  readonly vm: VmId;
  /** RUNNING, with access to the image datastore; free for attaching disks. */
  readonly proxyVm: VmId;
  readonly imageDatastore: DatastoreId;
  /** How long one operation may take: seconds for a simulator, minutes for a real cloud. It must take 0.2 s or more, so that a second call meets the first. */
  readonly operationTimeoutMs: number;
}

/** Names of this run, what it owns, and its waits. */
export class Lab {
  readonly one: OneApiFixture;
  readonly #run = `ov-contract-${systemClock.now().getTime().toString(36)}`;
  readonly #images: ImageId[] = [];
  readonly #cleanups: (() => Promise<unknown>)[] = [];

  constructor(one: OneApiFixture) {
    this.one = one;
  }

  name(what: string): string {
    return `${this.#run}-${what}`;
  }

  own(image: ImageId): void {
    this.#images.push(image);
  }

  ownTemplate(id: Parameters<OneApi['deleteTemplate']>[0]): void {
    this.#cleanups.push(() => this.one.api.deleteTemplate(id));
  }

  ownVm(id: VmId): void {
    this.#cleanups.push(() => this.one.api.vmAction(id, 'terminate-hard'));
  }

  settle(vm: VmId, what: string): Promise<Vm> {
    return this.one.api.waitForVm(vm, vmSettled, { timeoutMs: this.one.operationTimeoutMs, what });
  }

  async untilReady(id: ImageId): Promise<Image> {
    await this.one.api.waitForImage(id, imageReady, { timeoutMs: this.one.operationTimeoutMs, what: 'the image to be READY' });
    return await this.one.api.image(id);
  }

  async untilGone(id: ImageId): Promise<void> {
    await this.one.api.waitForImage(id, imageGone, { timeoutMs: this.one.operationTimeoutMs, what: 'the image to be deleted' });
  }

  async datablock(what: string, sizeMiB = 1): Promise<ImageId> {
    const attributes = { NAME: this.name(what), TYPE: 'DATABLOCK', SIZE: String(sizeMiB), FORMAT: 'raw' };
    const id = await this.one.api.allocateImage(attributes, this.one.imageDatastore);
    this.own(id);
    await this.untilReady(id);
    return id;
  }

  /** What a test already deleted is not there any more; whatever else stays shows in the lab's next run. */
  async cleanUp(): Promise<void> {
    await Promise.allSettled(this.#cleanups.map((cleanup) => cleanup()));
    await Promise.allSettled(this.#images.map((id) => this.one.api.deleteImage(id)));
    await Promise.allSettled(this.#images.map((id) => this.untilGone(id)));
  }
}

/** The disk that may be captured at will. */
export function imageDisk(vm: Vm): Disk & { readonly imageId: ImageId } {
  const disk = vm.disks.find((one) => one.imageId !== undefined && !one.persistent && !one.readonly);
  if (disk?.imageId === undefined) throw new Error(`VM ${vm.id} has no disk of a non-persistent image`);
  return { ...disk, imageId: disk.imageId };
}

export function snapshotsOf(vm: Vm, disk: Disk): Vm['snapshots'][number]['snapshots'] {
  return vm.snapshots.find((one) => one.diskId === disk.diskId)?.snapshots ?? [];
}

export async function refused(call: Promise<unknown>, code: OneErrorCode): Promise<void> {
  await expect(call).rejects.toMatchObject({ name: 'OneError', code });
}

export async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
