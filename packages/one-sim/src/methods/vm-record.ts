import { randomUUID } from 'node:crypto';
import { setBootOrder } from '../lifecycle/boot-order.ts';
import { releaseImage } from '../lifecycle/image-use.ts';
import { disksOf, imageIdOf } from '../model/disk-vector.ts';
import { releaseLeases } from '../model/network-lease.ts';
import { IMAGE_TYPE, VM_STATE } from '../model/states.ts';
import type { Vm } from '../model/world-schema.ts';
import { encryptVmAttributes } from '../rights/encryption.ts';
import { type Attributes, addVector, isYes, setText, textOf, type Vector, vectorsOf } from '../template/attributes.ts';
import { allocate } from '../wire/refusal.ts';
import { type Call, ownedBy, whyInvalidName } from './call.ts';
import { acquireDisk, adoptSnapshots, assignTarget, describeDisk } from './disk-record.ts';
import { generateContext, isPinned, parsePci, parseTopology } from './vm-devices.ts';
import { acquireNics } from './vm-nics.ts';

/** What oned knows goes to TEMPLATE, everything else to USER_TEMPLATE (VirtualMachine::parse_*). */
const KNOWN = new Set(
  (
    'CPU MEMORY VCPU DISK NIC NIC_ALIAS NIC_DEFAULT CONTEXT FEATURES GRAPHICS OS RAW INPUT VIDEO TOPOLOGY NUMA_NODE PCI CPU_MODEL CPU_COST MEMORY_COST DISK_COST ' +
    'SNAPSHOT EMULATOR TPM MEMORY_MAX VCPU_MAX MEMORY_SLOTS MEMORY_RESIZE_MODE CLONING_TEMPLATE_ID HYPERV_OPTIONS SPICE_OPTIONS IOMMU MEMORY_ENCRYPTION'
  ).split(' '),
);

/** VirtualMachine::insert: builds the VM, acquires its images and addresses; on a refusal gives back what it took. */
export function recordVm(
  call: Call,
  wanted: Attributes,
  options: { readonly name: string; readonly templateId: number; readonly hold: boolean; readonly guestTree: boolean; readonly guestAgent?: Vm['guestAgent'] },
): Vm {
  const { cloud } = call;
  const invalid = options.name === '' ? undefined : whyInvalidName(options.name);
  if (invalid !== undefined) throw allocate('virtual machine', invalid);
  requireCapacity(wanted);
  const template = structuredClone(wanted);
  parseTopology(template);
  const id = cloud.world.nextId('vm');
  const vm: Vm = {
    id,
    name: options.name === '' ? `one-${id}` : options.name,
    ...ownedBy(call),
    state: VM_STATE.PENDING,
    lcmState: 0,
    prevState: VM_STATE.PENDING,
    prevLcmState: 0,
    stime: cloud.now(),
    etime: 0,
    deployId: '',
    template: {},
    userTemplate: {},
    history: [],
    snapshots: [],
    backupConfig: vectorsOf(template, 'BACKUP_CONFIG')[0] ?? {},
    guestTree: options.guestTree,
    ...(options.guestAgent === undefined ? {} : { guestAgent: options.guestAgent }),
  };
  divide(template, vm);
  encryptVmAttributes(vm.template, cloud.world.zoneKey);
  completeTemplate(call, vm, options.templateId);
  parsePci(cloud.world, vm);
  try {
    acquireNics(call, vm, template);
    acquireDisks(call, vm, vectorsOf(template, 'DISK'));
    orderDevices(vm);
    generateContext(vm);
    // This cloud has no VM groups.
    if (vectorsOf(template, 'VMGROUP').length > 0) throw allocate('virtual machine', 'Cannot find VM Group to associate the VM');
  } catch (error) {
    giveBack(call, vm);
    throw error;
  }
  const waiting = disksOf(vm).some((disk) => disk['CLONING'] === 'YES');
  vm.state = vm.prevState = waiting ? VM_STATE.CLONING : options.hold ? VM_STATE.HOLD : VM_STATE.PENDING;
  cloud.world.vms.set(id, vm);
  return vm;
}

function orderDevices(vm: Vm): void {
  const wrong = setBootOrder(vm);
  if (wrong !== undefined) throw allocate('virtual machine', wrong);
}

/** Devices and native backups are parsed apart. */
const APART = new Set(['NAME', 'DISK', 'NIC', 'NIC_ALIAS', 'BACKUP_CONFIG']);

function divide(template: Attributes, vm: Vm): void {
  for (const [name, values] of Object.entries(template)) {
    if (!APART.has(name)) (KNOWN.has(name) ? vm.template : vm.userTemplate)[name] = structuredClone(values);
  }
}

function requireCapacity(template: Attributes): void {
  const memory = textOf(template, 'MEMORY') ?? '';
  const cpu = textOf(template, 'CPU') ?? '';
  const vcpu = textOf(template, 'VCPU');
  if (!/^\d+$/.test(memory) || Number(memory) <= 0) throw allocate('virtual machine', 'MEMORY attribute must be a positive integer value.');
  if (!/^\d+(\.\d+)?$/.test(cpu) || Number(cpu) <= 0) throw allocate('virtual machine', 'CPU attribute must be a positive float or integer value.');
  if (vcpu !== undefined && !/^[1-9]\d*$/.test(vcpu)) throw allocate('virtual machine', 'VCPU attribute must be a positive integer value.');
}

function completeTemplate(call: Call, vm: Vm, templateId: number): void {
  const [os] = vectorsOf(vm.template, 'OS');
  const uuid = os?.['UUID'] ?? randomUUID();
  const machine: Vector = call.cloud.world.atLeast(7, 2) ? { MACHINE: 'q35' } : {};
  vm.template['OS'] = [{ ...machine, ...os, UUID: uuid }];
  if (call.cloud.world.atLeast(7, 2)) normaliseFeatures(vm);
  const [graphics] = vectorsOf(vm.template, 'GRAPHICS');
  if (graphics) graphics['PORT'] ??= String(5900 + vm.id);
  setText(vm.template, 'AUTOMATIC_DS_REQUIREMENTS', '("CLUSTERS/ID" @> 0)');
  setText(vm.template, 'AUTOMATIC_NIC_REQUIREMENTS', '("CLUSTERS/ID" @> 0)');
  setText(vm.template, 'AUTOMATIC_REQUIREMENTS', `(CLUSTER_ID = 0) & ${isPinned(vm.template) ? '' : '!'}(PIN_POLICY = PINNED)`);
  setText(vm.template, 'TEMPLATE_ID', String(templateId));
  setText(vm.template, 'VMID', String(vm.id));
}

const BOOLEAN_FEATURES = ['PAE', 'ACPI', 'APIC', 'HYPERV', 'LOCALTIME', 'GUEST_AGENT', 'RAS', 'MIGRATE_COMPRESSED'];

/** VirtualMachine::parse_features of 7.2 and later. */
function normaliseFeatures(vm: Vm): void {
  for (const features of vectorsOf(vm.template, 'FEATURES')) {
    for (const name of BOOLEAN_FEATURES) if (name in features) features[name] = isYes(features[name]) ? 'YES' : 'NO';
  }
}

/** VirtualMachineDisks::get_images: acquires every image, then gives targets: explicit ones, the first OS disk, CDs with the context last, the rest. */
function acquireDisks(call: Call, vm: Vm, wanted: readonly Vector[]): void {
  refuseTooMany(call, vm, wanted);
  const all = wanted.map((disk, diskId) => {
    const result = acquireDisk(call, vm.id, cleanDisk(disk), diskId, false);
    if (typeof result === 'string') throw allocate('virtual machine', `DISK ${diskId}: ${result}`);
    addVector(vm.template, 'DISK', result.vector);
    adoptSnapshots(vm, diskId, result.snapshots);
    return { vector: result.vector, type: result.image?.type ?? IMAGE_TYPE.DATABLOCK };
  });
  const acquired = all.filter((disk) => disk.type !== IMAGE_TYPE.FILESYSTEM); // those have a mount point instead
  const [context] = vectorsOf(vm.template, 'CONTEXT');
  const contextDisk = context && contextPlace(call, vm, all.length);
  const firstOs = acquired.find((disk) => disk.type === IMAGE_TYPE.OS && !hasTarget(disk.vector));
  const cds = acquired.filter((disk) => disk.type === IMAGE_TYPE.CDROM);
  const others = acquired.filter((disk) => disk !== firstOs && disk.type !== IMAGE_TYPE.CDROM);
  const free = [firstOs, ...cds].flatMap((disk) => (disk ? [disk.vector] : []));
  const inTurn = [...free, ...(contextDisk ? [contextDisk] : []), ...others.map((disk) => disk.vector)].filter((vector) => !hasTarget(vector));
  const explicit = [...acquired.map((disk) => disk.vector), ...(contextDisk ? [contextDisk] : [])].filter(hasTarget);
  const used = new Set<string>();
  for (const vector of [...explicit, ...inTurn]) {
    if (!assignTarget(vector, used)) throw allocate('virtual machine', `Two disks have defined the same target ${vector['TARGET']}`);
  }
  if (context) context['TARGET'] = contextDisk?.['TARGET'] ?? 'hda';
}

const hasTarget = (vector: Vector): boolean => (vector['TARGET'] ?? '') !== '';

/** The generated ISO: the id after the last disk, a CD's prefix. */
function contextPlace(call: Call, vm: Vm, diskId: number): Vector {
  const context = vectorsOf(vm.template, 'CONTEXT')[0] ?? {};
  context['DISK_ID'] = String(diskId);
  const target = context['TARGET'];
  const prefix = call.cloud.world.atLeast(7, 2) && isQ35(vm) ? 'sd' : 'hd'; // by chipset since 7.2
  return { DEV_PREFIX: context['DEV_PREFIX'] ?? prefix, ...(target === undefined ? {} : { TARGET: target }) };
}

const isQ35 = (vm: Vm): boolean => (vectorsOf(vm.template, 'OS')[0]?.['MACHINE'] ?? '').includes('q35');

const MAX_SD_DISKS = 256;
const MAX_HD_DISKS = 4;

/** The limits of a SCSI bus and of IDE; hot-plugging does not look at them. */
function refuseTooMany(call: Call, vm: Vm, wanted: readonly Vector[]): void {
  const count = (prefix: string): number => wanted.filter((disk) => describeDisk(call, disk)?.['DEV_PREFIX'] === prefix).length;
  if (count('hd') > MAX_HD_DISKS && !isQ35(vm)) throw allocate('virtual machine', `Non q35 or virt VM ${vm.id} has more than ${MAX_HD_DISKS} hd disks`);
  if (count('sd') > MAX_SD_DISKS) throw allocate('virtual machine', `VM ${vm.id} has more than ${MAX_SD_DISKS} disks`);
}

/** What a saved VM's DISK carries of its old life is set anew. */
function cleanDisk(disk: Vector): Vector {
  const { DISK_ID: _id, ...rest } = disk;
  return rest;
}

function giveBack(call: Call, vm: Vm): void {
  const images = disksOf(vm).map(imageIdOf);
  delete vm.template['DISK'];
  for (const id of images) if (id !== undefined) releaseImage(call.cloud, vm, id);
  for (const network of call.cloud.world.networks.values()) releaseLeases(network, vm.id);
}
