import type { Cloud } from '../cloud.ts';
import { executeAs } from '../methods/dispatch.ts';
import { IMAGE_STATE, LCM_STATE, VM_STATE } from '../model/states.ts';
import type { User } from '../model/world-schema.ts';
import { textOf } from '../template/attributes.ts';
import type { ControlInput, ControlOutput } from './control-schemas.ts';

type Spec = ControlInput<'createVm'>;

/** Registers the disks' images and instantiates, through the very methods a client calls. */
export async function createVm(cloud: Cloud, spec: Spec, owner: User): Promise<ControlOutput<'createVm'>> {
  const call = async (method: string, ...params: unknown[]): Promise<number> => {
    const { answer, afterAnswer } = await executeAs(cloud, owner, method, params);
    for (const operation of afterAnswer) cloud.engine.start(operation);
    return Number(answer);
  };
  const imageIds: number[] = [];
  for (const [at, disk] of spec.disks.entries()) {
    const id = await call('one.image.allocate', imageTemplate(spec, disk, at), disk.datastore, true);
    imageIds.push(id);
    await until(cloud, () => cloud.world.images.get(id)?.state !== IMAGE_STATE.LOCKED);
  }
  const templateId = await call('one.template.allocate', vmTemplate(spec, imageIds));
  const vmId = await call('one.template.instantiate', templateId, spec.name, false, marks(spec), false);
  if (spec.wait) await until(cloud, () => isSettled(cloud, vmId));
  return { vmId, imageIds, templateId };
}

const ARRIVED: readonly number[] = [LCM_STATE.RUNNING, LCM_STATE.PROLOG_FAILURE, LCM_STATE.BOOT_FAILURE];

function isSettled(cloud: Cloud, vmId: number): boolean {
  const vm = cloud.world.vms.get(vmId);
  if (!vm) return true;
  if (vm.state === VM_STATE.ACTIVE) return ARRIVED.includes(vm.lcmState);
  return vm.state !== VM_STATE.PENDING || textOf(vm.userTemplate, 'SCHED_MESSAGE') !== undefined;
}

async function until(cloud: Cloud, done: () => boolean): Promise<void> {
  while (!done()) await cloud.engine.nextFinish();
}

/** What the simulator is to know of the guest; taken out of the template by instantiate. */
function marks(spec: Spec): string {
  return (spec.proxy ? line('ONEVAULT_SIM_PROXY', 'YES') : '') + (spec.guestAgent === 'none' ? '' : line('ONEVAULT_SIM_AGENT', spec.guestAgent));
}

function imageTemplate(spec: Spec, disk: Spec['disks'][number], at: number): string {
  const type = disk.type ?? (at === 0 ? 'OS' : 'DATABLOCK');
  return [
    line('NAME', disk.imageName ?? `${spec.name}-disk-${at}`),
    line('TYPE', type),
    disk.file === undefined ? line('SIZE', String(disk.sizeMiB ?? 16)) : line('PATH', disk.file),
    line('PERSISTENT', disk.persistent ? 'YES' : 'NO'),
    type === 'CDROM' ? '' : line('DEV_PREFIX', disk.devPrefix),
    disk.format === undefined ? '' : line('FORMAT', disk.format),
  ].join('');
}

function vmTemplate(spec: Spec, imageIds: readonly number[]): string {
  const disks = spec.disks.map((disk, at) => `DISK=[IMAGE_ID="${imageIds[at]}"${disk.readonly ? ',READONLY="YES"' : ''}]\n`);
  const volatile = spec.volatileMiB.map((size) => `DISK=[TYPE="fs",SIZE="${size}",FORMAT="raw",FS="ext4",DEV_PREFIX="vd"]\n`);
  const swap = spec.swapMiB.map((size) => `DISK=[TYPE="swap",SIZE="${size}",FORMAT="raw",DEV_PREFIX="vd"]\n`);
  return [
    line('NAME', `${spec.name}-template`),
    line('CPU', String(spec.cpu)),
    line('VCPU', String(spec.vcpu)),
    line('MEMORY', String(spec.memoryMiB)),
    `OS=[${spec.os}]\n`,
    `FEATURES=[ACPI="yes",GUEST_AGENT="${spec.guestAgent === 'none' ? 'no' : 'yes'}"]\n`,
    'GRAPHICS=[LISTEN="127.0.0.1",TYPE="VNC"]\n',
    spec.context ? `CONTEXT=[NETWORK="NO",SET_HOSTNAME=${quoted(spec.name)},TOKEN="NO"]\n` : '',
    ...disks,
    ...volatile,
    ...swap,
    ...spec.nics.map((network) => `NIC=[NETWORK=${quoted(network)},NETWORK_UNAME="oneadmin"]\n`),
    spec.hypervisor === 'kvm' ? '' : line('HYPERVISOR', spec.hypervisor),
    spec.systemDatastore === undefined ? '' : line('SCHED_DS_REQUIREMENTS', `ID=${spec.systemDatastore}`),
    spec.extra,
  ].join('');
}

const quoted = (value: string): string => `"${value.replace(/(["\\])/g, '\\$1')}"`;
const line = (name: string, value: string): string => `${name}=${quoted(value)}\n`;
