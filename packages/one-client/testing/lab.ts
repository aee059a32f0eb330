import { Scope, Secret, systemClock } from '@onevault/base';
import { expect, type TestContext } from 'vitest';
import { unwrapAnswer } from '../src/answer.ts';
import {
  composeTransport,
  createOneClient,
  type DatastoreId,
  type Disk,
  httpTransport,
  type Image,
  type ImageId,
  imageGone,
  imageReady,
  type OneApi,
  type OneClientOptions,
  type OneErrorCode,
  type User,
  type Vm,
  type VmId,
  vmSettled,
  type XmlRpcArgument,
  type XmlRpcValue,
} from '../src/index.ts';
import type { OneCloud } from './one-cloud.ts';
import { removeTraces, tracePrefix } from './traces.ts';

interface LabFacts {
  readonly version: string;
  readonly me: User;
  /** Where images are made: the datastore of the VM's first image. */
  readonly imageDatastore: DatastoreId;
}

/** One run of the contract: its clients, names and waits, and the end of everything it made. */
export class Lab implements AsyncDisposable {
  readonly cloud: OneCloud;
  readonly api: OneApi;
  /** A client of the same endpoint whose session oned refuses. */
  readonly stranger: OneApi;
  readonly #facts: LabFacts;
  readonly #run = systemClock.now().getTime().toString(36);
  readonly #clients = new Scope();

  private constructor(cloud: OneCloud, api: OneApi & AsyncDisposable, facts: LabFacts) {
    this.cloud = cloud;
    this.api = this.#clients.use(api);
    this.#facts = facts;
    const [userName = ''] = cloud.session.reveal().split(':', 1);
    this.stranger = this.#clients.use(createOneClient({ ...connectionOf(cloud), session: new Secret(`${userName}:not-the-password`) }));
  }

  /** Also takes away what an earlier run on this VM, that was interrupted, left behind. */
  static async open(cloud: OneCloud): Promise<Lab> {
    const api = createOneClient(connectionOf(cloud));
    const imageDatastore = imageDisks(await api.vm(cloud.vm))[0]?.datastoreId;
    if (imageDatastore === undefined) throw new Error(`VM ${cloud.vm} has no disk with an image`);
    const lab = new Lab(cloud, api, { version: await api.version(), me: await api.whoAmI(), imageDatastore });
    await lab.#removeTraces(tracePrefix(cloud.vm));
    return lab;
  }

  get version(): string {
    return this.#facts.version;
  }
  get me(): User {
    return this.#facts.me;
  }
  get imageDatastore(): DatastoreId {
    return this.#facts.imageDatastore;
  }

  /** `ov-contract-<vm>-<run>-<what>` */
  name(what: string): string {
    return `${tracePrefix(this.cloud.vm)}${this.#run}-${what}`;
  }

  /** Another client of the same user. */
  connect(options: { readonly pageSize: number }): OneApi {
    return this.#clients.use(createOneClient({ ...connectionOf(this.cloud), ...options }));
  }

  /** A call as it goes over the wire: for what the product never does. */
  async raw(method: string, ...args: readonly XmlRpcArgument[]): Promise<XmlRpcValue> {
    await using transport = httpTransport(this.cloud.endpoint, this.cloud.client?.http);
    return await composeTransport(transport, unwrapAnswer)({ method, session: this.cloud.session, args, idempotent: false }, {});
  }

  settle(vm: VmId, what: string): Promise<Vm> {
    return this.api.waitForVm(vm, vmSettled, { timeoutMs: this.cloud.operationTimeoutMs, what });
  }

  async untilReady(id: ImageId): Promise<Image> {
    await this.api.waitForImage(id, imageReady, { timeoutMs: this.cloud.operationTimeoutMs, what: 'the image to be READY' });
    return await this.api.image(id);
  }

  async untilGone(id: ImageId): Promise<void> {
    await this.api.waitForImage(id, imageGone, { timeoutMs: this.cloud.operationTimeoutMs, what: 'the image to be deleted' });
  }

  async datablock(what: string, sizeMiB = 1): Promise<ImageId> {
    const attributes = { NAME: this.name(what), TYPE: 'DATABLOCK', SIZE: String(sizeMiB), FORMAT: 'raw' };
    const id = await this.api.allocateImage(attributes, this.imageDatastore);
    await this.untilReady(id);
    return id;
  }

  /** For a case that this cloud has nothing for: skipped, or failed where everything should be there. */
  lacks(context: TestContext, what: string): never {
    if (this.cloud.complete) throw new Error(`the cloud of this suite should be complete, and has no ${what}`);
    context.skip(`this cloud has no ${what}`);
  }

  /** Takes away everything this run made, found by its names, and proves it. Throws naming what could not be removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#removeTraces(this.name(''));
    } finally {
      await this.#clients[Symbol.asyncDispose]();
    }
  }

  #removeTraces(prefix: string): Promise<void> {
    const { api, me, cloud } = this;
    return removeTraces({ api, me, vm: cloud.vm, proxyVm: cloud.proxyVm, timeoutMs: cloud.operationTimeoutMs, maySpoilVm: cloud.maySpoilVm }, prefix);
  }
}

export const connectionOf = ({ endpoint, session, client }: OneCloud): OneClientOptions => ({ endpoint, session, ...client });

export type ImageDisk = Disk & { readonly imageId: ImageId; readonly datastoreId: DatastoreId };

/** The disks that can be captured. */
export function imageDisks(vm: Vm): readonly ImageDisk[] {
  return vm.disks.flatMap((disk) => {
    const { imageId, datastoreId } = disk;
    return imageId === undefined || datastoreId === undefined || disk.readonly || /CDROM$/.test(disk.type) ? [] : [{ ...disk, imageId, datastoreId }];
  });
}

export function snapshotsOf(vm: Vm, disk: Pick<Disk, 'diskId'>): Vm['snapshots'][number]['snapshots'] {
  return vm.snapshots.find((one) => one.diskId === disk.diskId)?.snapshots ?? [];
}

export async function refused(call: Promise<unknown>, ...codes: readonly OneErrorCode[]): Promise<void> {
  const error = await call.then(
    (value) => ({ accepted: value }),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: 'OneError', code: expect.toSatisfy((code: OneErrorCode) => codes.includes(code), codes.join(' or ')) });
}

export async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
