import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, Scope, Secret, systemClock } from '@onevault/base';
import { createOneClient, datastoreId, type OneApi, type VmId } from '@onevault/one-client';
import { type FaultRule, type Simulator, startSimulator } from '@onevault/one-sim';
import { proxyHotplug } from '@onevault/orchestrator';
import {
  chooseIdentification,
  createAttacher,
  findOwnVm,
  type IdentifiedBy,
  machineHotplugLock,
  newSerial,
  parseSerial,
  readProductUuid,
  readSysfsDisks,
  type WantedIdentification,
} from '@onevault/proxy-attach';
import { type AttacherSubject, attacherContract } from '@onevault/proxy-attach/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

/** The simulator answers in milliseconds; this clock makes the product's seconds of polling as short. */
const SPEED = 50;
const fastClock: Clock = {
  now: () => systemClock.now(),
  monotonicMs: () => systemClock.monotonicMs() * SPEED,
  sleep: (ms, options) => systemClock.sleep(ms / SPEED, options),
};
const IMAGES = datastoreId(1);

interface World {
  readonly scope: Scope;
  readonly simulator: Simulator;
  readonly cloud: OneApi;
  readonly proxyVm: VmId;
  /** The proxy VM's own root directory. */
  readonly root: string;
}

/** `version`: what the simulator claims to be. Its only proxy VM is found as in production, by the uuid in the guest's files. */
async function openWorld(version: string): Promise<World> {
  await using scope = new Scope();
  const dir = await mkdtemp(join(tmpdir(), 'ov-attacher-'));
  scope.defer(() => rm(dir, { recursive: true, force: true }));
  const simulator = scope.use(await startSimulator({ dir, version }));
  const { endpoint, user, password } = simulator;
  const cloud = scope.use(createOneClient({ endpoint, session: new Secret(`${user}:${password}`), clock: fastClock, callTimeoutMs: 60_000 * SPEED }));
  const [directory = 'none'] = (await readdir(join(dir, 'proxy'))).filter((name) => /^\d+$/.test(name));
  const root = join(dir, 'proxy', directory);
  const proxyVm = await findOwnVm(bodies(cloud), await readProductUuid(root));
  return { scope: scope.move(), simulator, cloud, proxyVm, root };
}

async function* bodies(cloud: OneApi): AsyncGenerator<{ id: VmId; uuid: string | undefined }> {
  for await (const { id } of cloud.vms()) yield await cloud.vm(id);
}

/** A strategy as production chooses it, and what the contract must find it to be. */
interface Strategy extends WantedIdentification {
  readonly version: string;
  readonly identifiedBy: IdentifiedBy;
}

function subjectOf(world: World, { version, identifiedBy, ...wanted }: Strategy): AttacherSubject {
  const { cloud, proxyVm, root } = world;
  return {
    attacher: createAttacher({
      api: proxyHotplug(cloud, proxyVm),
      sysfs: (options) => readSysfsDisks(root, options),
      clock: fastClock,
      identification: chooseIdentification(version, wanted),
      lock: machineHotplugLock({ clock: fastClock, proxyRoot: root }),
    }),
    identifiedBy,
    newSerial: () => newSerial(randomBytes),
    async newImage(sizeMiB) {
      const name = `image ${newSerial(randomBytes)}`;
      const imageId = await cloud.allocateImage({ NAME: name, TYPE: 'DATABLOCK', SIZE: String(sizeMiB) }, IMAGES);
      await cloud.waitForImage(imageId, (image) => (image?.state === 1 ? 'done' : 'wait'), { timeoutMs: 60_000 * SPEED, what: name });
      return { imageId, sizeBytes: sizeMiB * 1024 ** 2 };
    },
    listedSerials: async () => (await cloud.vm(proxyVm)).disks.flatMap((disk) => parseSerial(disk.serial) ?? []),
    devices: () => readSysfsDisks(root),
  };
}

const STRATEGIES: Readonly<Record<string, readonly Omit<Strategy, 'version'>[]>> = {
  '6.10.5': [
    { bus: 'sd', identifiedBy: 'scsi' },
    { bus: 'vd', byDifference: true, identifiedBy: 'difference' },
  ],
  '7.0.2': [
    { bus: 'vd', identifiedBy: 'serial' },
    { bus: 'sd', identifiedBy: 'serial+scsi' },
  ],
  '7.4.0': [
    { bus: 'vd', identifiedBy: 'serial' },
    { bus: 'sd', identifiedBy: 'serial+scsi' },
  ],
};

describe.each(Object.entries(STRATEGIES))('attacher contract over XML-RPC, with the proxy VM of a simulated OpenNebula %s', (version, strategies) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(version);
  });
  afterAll(async () => {
    expect(await world.simulator.control.unexpectedErrors()).toEqual([]);
    await world.scope[Symbol.asyncDispose]();
  });

  describe.each(strategies)('bus $bus: by $identifiedBy', (strategy) => {
    for (const { title, run } of attacherContract) it(title, () => run(subjectOf(world, { version, ...strategy })));
  });
});

describe('attacher over XML-RPC when things go wrong', () => {
  let world: World;
  let subject: AttacherSubject;
  beforeAll(async () => {
    world = await openWorld('7.4.0');
    subject = subjectOf(world, { version: '7.4.0', bus: 'vd', identifiedBy: 'serial' });
  });
  afterEach(async () => {
    await world.simulator.control.clearFaults();
    expect(await subject.listedSerials()).toEqual([]);
    expect((await subject.devices()).map((device) => device.serial).filter((serial) => parseSerial(serial))).toEqual([]);
  });
  afterAll(() => world.scope[Symbol.asyncDispose]());

  it.each<{ readonly title: string; readonly fault: FaultRule; readonly code: string }>([
    { title: 'the driver fails', fault: { fault: 'driver', operation: 'attach', text: 'Could not attach' }, code: 'ATTACH_FAILED' },
    { title: 'the device has another size', fault: { fault: 'device', sizeBytes: 512 }, code: 'ATTACH_DEVICE_SIZE' },
    { title: 'the device has another serial', fault: { fault: 'device', serial: 'drive-scsi0-0-10-0' }, code: 'ATTACH_DEVICE_ABSENT' },
    { title: 'the answer is lost after the call was carried out', fault: { fault: 'drop-after', method: 'one.vm.attach' }, code: 'ONE_UNREACHABLE' },
    { title: 'the connection breaks before the call', fault: { fault: 'drop-before', method: 'one.vm.attach' }, code: 'ONE_UNREACHABLE' },
    { title: 'the answer is cut off', fault: { fault: 'truncate', method: 'one.vm.attach' }, code: 'ONE_RESPONSE_INVALID' },
    {
      title: 'OpenNebula refuses',
      fault: { fault: 'refuse', method: 'one.vm.attach', code: 512, text: '[one.vm.attach] Not authorized' },
      code: 'ATTACH_REFUSED',
    },
  ])('takes the disk back when $title: $code', async ({ fault, code }) => {
    const image = await subject.newImage(2);
    await world.simulator.control.inject(fault);
    await expect(subject.attacher.attach({ ...image, serial: subject.newSerial(), readOnly: true })).rejects.toMatchObject({ code });
  });

  it.each<{ readonly title: string; readonly fault: FaultRule }>([
    {
      title: 'the target is taken in between',
      fault: { fault: 'refuse', method: 'one.vm.attach', code: 2048, text: '[one.vm.attach] Target vdb is already in use.' },
    },
    {
      title: 'the VM becomes busy in between',
      fault: { fault: 'refuse', method: 'one.vm.attach', code: 2048, text: '[one.vm.attach] Could not attach a new disk to VM 0, wrong state HOTPLUG.' },
    },
    { title: 'the guest is busy at the first detach', fault: { fault: 'driver', operation: 'detach', text: 'guest is busy' } },
    { title: 'the answer to the detach is lost', fault: { fault: 'drop-after', method: 'one.vm.detach' } },
  ])('gets through when $title', async ({ fault }) => {
    const request = { ...(await subject.newImage(2)), serial: subject.newSerial(), readOnly: true };
    await world.simulator.control.inject(fault);
    await subject.attacher.attach(request);
    await subject.attacher.detach(request);
  });
});

describe('attacher with an OpenNebula that does not pass SERIAL on (6.10.5)', () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld('6.10.5');
  });
  afterAll(() => world.scope[Symbol.asyncDispose]());

  it('plugs nothing to a bus on which the device could only be guessed', async () => {
    const subject = subjectOf(world, { version: '6.10.5', bus: 'vd', identifiedBy: 'difference' });
    const image = await subject.newImage(2);
    await expect(subject.attacher.attach({ ...image, serial: subject.newSerial(), readOnly: true })).rejects.toMatchObject({ code: 'ATTACH_UNIDENTIFIABLE' });
    expect(await subject.listedSerials()).toEqual([]);
    expect((await subject.devices()).length).toBe(1);
  });

  it('finds no device where it relies on serials of a later version, says so, and leaves nothing attached', async () => {
    const subject = subjectOf(world, { version: '7.0.2', bus: 'vd', identifiedBy: 'serial' });
    const image = await subject.newImage(2);
    await expect(subject.attacher.attach({ ...image, serial: subject.newSerial(), readOnly: true })).rejects.toMatchObject({ code: 'ATTACH_DEVICE_ABSENT' });
    expect(await subject.listedSerials()).toEqual([]);
    expect((await subject.devices()).length).toBe(1);
  });
});
