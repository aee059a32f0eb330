import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Cloud } from '../cloud.ts';
import { type GuestWrite, readDisk } from '../disk/disk-file.ts';
import { randomWrites } from '../disk/random-writes.ts';
import { SimError } from '../errors.ts';
import { retryPending } from '../lifecycle/deploy.ts';
import { monitorVm } from '../lifecycle/monitor.ts';
import { contextOf, diskOf, snapshotsOf } from '../model/disk-vector.ts';
import { historyOf } from '../model/vm-history.ts';
import type { Vm } from '../model/world-schema.ts';
import type { Invoke } from './control-client.ts';
import { type ControlInput, type ControlName, type ControlOutput, controlSchemas } from './control-schemas.ts';
import { createUser, grant, userNamed } from './create-user.ts';
import { createVm } from './create-vm.ts';
import { populate } from './populate.ts';
import { listLeftovers, stateOf } from './state-dump.ts';

type Operations = { readonly [N in ControlName]: (cloud: Cloud, input: ControlInput<N>) => Promise<ControlOutput<N>> };

const refused = (message: string): SimError => new SimError({ code: 'SIM_CONTROL_REFUSED', message });

function vmOf(cloud: Cloud, id: number): Vm {
  const vm = cloud.world.vms.get(id);
  if (!vm) throw refused(`there is no VM ${id}`);
  return vm;
}

function diskFile(cloud: Cloud, input: { readonly vm: number; readonly disk: number }): string {
  const vm = vmOf(cloud, input.vm);
  const disk = diskOf(vm, input.disk) ?? (contextOf(vm)?.['DISK_ID'] === String(input.disk) ? contextOf(vm) : undefined);
  if (!disk) throw refused(`VM ${input.vm} has no disk ${input.disk}`);
  return cloud.layout.disk(cloud.world, vm, disk);
}

/** A paused guest's writes wait; one that was resumed into a snapshot's frozen file writes there (opennebula.md e.4). */
async function guestWrite(cloud: Cloud, input: { readonly vm: number; readonly disk: number }, writes: () => Iterable<GuestWrite>): Promise<void> {
  const path = diskFile(cloud, input);
  await cloud.pauses.untilRunning(input.vm);
  await cloud.disk(path).write(writes());
  const tree = snapshotsOf(vmOf(cloud, input.vm), input.disk);
  if (tree?.stray !== undefined && tree.lost !== true) await cloud.disk(cloud.layout.snapshot(path, tree.stray)).write(writes());
}

const OPERATIONS: Operations = {
  async write(cloud, input) {
    await guestWrite(cloud, input, () => [{ offset: input.offset, bytes: Buffer.from(input.base64, 'base64') }]);
    return null;
  },
  async writeRandom(cloud, input) {
    const { size } = await stat(diskFile(cloud, input));
    await guestWrite(cloud, input, () => randomWrites(input, size));
    return size >= input.blockBytes ? input.count * input.blockBytes : 0;
  },
  async read(cloud, input) {
    return (await readDisk(diskFile(cloud, input), input.offset, input.length)).toString('base64');
  },
  async checksum(cloud, input) {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(diskFile(cloud, input), { highWaterMark: 1 << 20 })) hash.update(chunk);
    return hash.digest('hex');
  },
  diskPath: async (cloud, input) => diskFile(cloud, input),
  async imagePath(cloud, { image }) {
    const found = cloud.world.images.get(image);
    if (!found) throw refused(`there is no image ${image}`);
    return cloud.layout.image(found);
  },
  inject: async (cloud, rule) => {
    cloud.faults.inject(rule);
    return null;
  },
  clearFaults: async (cloud) => {
    cloud.faults.clear();
    return null;
  },
  async setTimes(cloud, times) {
    const given = Object.fromEntries(Object.entries(times).filter(([, ms]) => ms !== undefined));
    cloud.pace.times = { ...cloud.pace.times, ...given };
    return null;
  },
  hold: async (cloud, { steps }) => {
    cloud.pace.hold(steps);
    return null;
  },
  step: async (cloud, { count }) => cloud.pace.step(count),
  release: async (cloud) => {
    cloud.pace.release();
    return null;
  },
  async idle(cloud) {
    await cloud.engine.idle();
    return null;
  },
  async vanishDevice(cloud, { vm, disk }) {
    await cloud.guest(vmOf(cloud, vm))?.vanish(disk);
    return null;
  },
  async shrinkDevice(cloud, { vm, disk, sizeBytes }) {
    await cloud.guest(vmOf(cloud, vm))?.shrink(disk, sizeBytes);
    return null;
  },
  async setDatastoreFree(cloud, { datastore, freeMiB, monitored }) {
    const found = cloud.world.datastores.get(datastore);
    if (!found) throw refused(`there is no datastore ${datastore}`);
    const before = cloud.usage(found).freeMiB;
    delete found.monitoredFreeMiB;
    found.foreignMiB = 0;
    found.foreignMiB = Math.max(0, found.totalMiB - cloud.usage(found).usedMiB - freeMiB);
    if (!monitored) found.monitoredFreeMiB = before;
    await cloud.store.commit();
    return null;
  },
  async setHostCapacity(cloud, { host, memoryMiB, cpu, pinned, pciDevices }) {
    const found = cloud.world.hosts.get(host);
    if (!found) throw refused(`there is no host ${host}`);
    if (memoryMiB !== undefined) found.maxMemoryKiB = memoryMiB * 1024;
    if (cpu !== undefined) found.maxCpu = Math.round(cpu * 100);
    if (pinned !== undefined) found.template['PIN_POLICY'] = [pinned ? 'PINNED' : 'NONE'];
    if (pciDevices !== undefined) found.pciDevices = pciDevices;
    retryPending(cloud);
    await cloud.store.commit();
    return null;
  },
  async setGuestAgent(cloud, { vm, agent }) {
    const found = vmOf(cloud, vm);
    if (agent === 'none') delete found.guestAgent;
    else found.guestAgent = agent;
    await cloud.store.commit();
    return null;
  },
  async setAgentMonitoring(cloud, { enabled }) {
    cloud.agentMonitoring = enabled;
    return null;
  },
  async expectGuest(cloud, life) {
    cloud.lives.expect(life);
    return null;
  },
  async monitored(cloud, { vm, found }) {
    await monitorVm(cloud, vmOf(cloud, vm), found);
    return null;
  },
  history: async (cloud, { vm }) => {
    const { states, pauses, harm } = historyOf(vmOf(cloud, vm));
    return { states: [...states], pauses: [...pauses], harm: [...harm] };
  },
  async useDevice(cloud, { vm, disk, kind, name }) {
    await cloud.guest(vmOf(cloud, vm))?.use(disk, { kind, name });
    return null;
  },
  async letGoDevice(cloud, { vm, disk }) {
    await cloud.guest(vmOf(cloud, vm))?.letGo(disk);
    return null;
  },
  state: async (cloud) => stateOf(cloud),
  leftovers: async (cloud, { prefix }) => listLeftovers(cloud, prefix),
  async createVm(cloud, spec) {
    return createVm(cloud, spec, userNamed(cloud, spec.owner));
  },
  createUser: async (cloud, spec) => createUser(cloud, spec),
  grant: async (cloud, { user, rule }) => grant(cloud, userNamed(cloud, user), rule),
  populate: async (cloud, spec) => populate(cloud, spec),
  unexpectedErrors: async (cloud) => cloud.engine.unexpected.map((error) => (error instanceof Error ? (error.stack ?? error.message) : String(error))),
};

/** Invokes control operations in this process. Input that does not parse is refused. */
export function localInvoke(cloud: Cloud): Invoke {
  return async (name, input) => run(cloud, name, input);
}

async function run<N extends ControlName>(cloud: Cloud, name: N, input: unknown): Promise<unknown> {
  const parsed = controlSchemas[name].input.safeParse(input);
  if (!parsed.success) throw new SimError({ code: 'SIM_CONTROL_REFUSED', message: `${name}: ${parsed.error.message}`, cause: parsed.error });
  const operation: (cloud: Cloud, input: never) => Promise<unknown> = OPERATIONS[name];
  return operation(cloud, parsed.data as never);
}
