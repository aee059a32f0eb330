import { z } from 'zod';
import { guestLifeSchema } from '../lifecycle/guest-life.ts';
import { faultRuleSchema } from './fault-rules.ts';

const id = z.number().int().nonnegative();
const bytes = z.number().int().nonnegative();
const nothing = z.null();
const vmDisk = z.object({ vm: id, disk: id });
const timedStep = z.enum([
  'snapshot',
  'snapshotDelete',
  'revert',
  'saveas',
  'saveasReady',
  'attach',
  'detach',
  'resize',
  'allocate',
  'delete',
  'clone',
  'schedule',
  'deploy',
  'boot',
  'suspend',
  'resume',
  'poweroff',
  'stop',
  'terminate',
  'epilog',
  'react',
]);
export const ALL_STEPS = timedStep.options;
const times = z.partialRecord(z.enum([...timedStep.options, 'perGiBCopied']), z.number().nonnegative());

const diskSpec = z.object({
  /** A raw file to register a copy of; or `sizeMiB` for an empty one. */
  file: z.string().optional(),
  sizeMiB: z.number().int().positive().optional(),
  persistent: z.boolean().default(false),
  /** Image datastore; 100 is of driver qcow2. */
  datastore: id.default(100),
  devPrefix: z.string().default('vd'),
  imageName: z.string().optional(),
  type: z.enum(['OS', 'DATABLOCK', 'CDROM', 'FILESYSTEM']).optional(),
  /** FORMAT attribute, where the datastore does not force one. */
  format: z.enum(['raw', 'qcow2']).optional(),
  readonly: z.boolean().default(false),
});

const guestAgent = z.enum(['none', 'works', 'silent']);

const vmSpec = z.object({
  name: z.string(),
  disks: z.array(diskSpec),
  /** Sizes of volatile fs and swap disks. */
  volatileMiB: z.array(z.number().int().positive()).default([]),
  swapMiB: z.array(z.number().int().positive()).default([]),
  /** Names of virtual networks. */
  nics: z.array(z.string()).default([]),
  context: z.boolean().default(true),
  hypervisor: z.enum(['kvm', 'lxc']).default('kvm'),
  /** qemu-guest-agent; `silent` is configured and does not answer. */
  guestAgent: guestAgent.default('none'),
  /** System datastore it must be placed on; the one of its images' driver otherwise. */
  systemDatastore: id.optional(),
  cpu: z.number().positive().default(1),
  vcpu: z.number().int().positive().default(1),
  memoryMiB: z.number().int().positive().default(512),
  /** Inside of OS=[…]. */
  os: z.string().default('ARCH="x86_64"'),
  /** Template text added as it is. */
  extra: z.string().default(''),
  /** User it belongs to. */
  owner: z.string().default('oneadmin'),
  /** Its guest is laid out under proxy/<id>/. */
  proxy: z.boolean().default(false),
  wait: z.boolean().default(true),
});

const userSpec = z.object({
  name: z.string().regex(/^[^\s:]+$/),
  password: z.string().min(1),
  /** Its primary group, made when there is none of that name; a new group has no rights at all. */
  group: z.string().default('users'),
  /** Rules for this user alone, without the selector: `VM/* USE+MANAGE`. */
  rules: z.array(z.string()).default([]),
  /** Template text: VM_ADMIN_OPERATIONS and the like. */
  template: z.string().default(''),
});

const population = z.object({
  vms: z.number().int().nonnegative(),
  images: z.number().int().nonnegative(),
  /** Images of TYPE 6 in a datastore of TYPE BACKUP, on top. */
  backupImages: z.number().int().nonnegative().default(0),
  /** Names begin with it. */
  prefix: z.string().default('load'),
  /** That many VMs, from the first on, have real files behind their disks. */
  withFiles: z.number().int().nonnegative().default(0),
  sizeMiB: z.number().int().positive().default(1),
  /** Image datastores and owners, taken in turn. */
  datastores: z.array(id).min(1).default([100]),
  owners: z.array(z.string()).min(1).default(['oneadmin']),
  disksPerVm: z.number().int().positive().default(2),
});

const diskState = z.object({
  diskId: id,
  imageId: id.optional(),
  imageName: z.string().optional(),
  target: z.string(),
  serial: z.string().optional(),
  persistent: z.boolean(),
  path: z.string(),
  /** The device in a proxy's guest. */
  guestDevice: z.string().optional(),
});

export const simStateSchema = z.object({
  version: z.string(),
  vms: z.array(
    z.object({
      id,
      name: z.string(),
      state: z.number(),
      lcmState: z.number(),
      stateText: z.string(),
      disks: z.array(diskState),
      snapshots: z.array(z.object({ diskId: id, id, name: z.string(), active: z.boolean(), parent: z.number() })),
      error: z.string().optional(),
      schedMessage: z.string().optional(),
      proxy: z.boolean(),
    }),
  ),
  images: z.array(
    z.object({
      id,
      name: z.string(),
      state: z.number(),
      stateText: z.string(),
      persistent: z.boolean(),
      sizeMiB: z.number(),
      datastoreId: id,
      vmIds: z.array(id),
      snapshotIds: z.array(id),
      broken: z.boolean(),
      path: z.string(),
    }),
  ),
  templates: z.array(z.object({ id, name: z.string() })),
  operations: z.array(z.object({ kind: z.string(), vm: id.optional(), image: id.optional() })),
  /** Steps that are held. */
  waiting: z.array(z.string()),
});

const historySchema = z.object({
  states: z.array(z.string()),
  pauses: z.array(z.object({ how: z.enum(['suspended', 'frozen']), why: z.enum(['snapshot', 'saveas']), disk: id, bytes: z.number(), ms: z.number() })),
  harm: z.array(z.string()),
});

export const leftoverSchema = z.object({ kind: z.enum(['vm', 'image', 'template', 'snapshot', 'disk']), id, name: z.string(), vm: id.optional() });

/** Name, input and output of every control operation: the one definition that both ends parse with. */
export const controlSchemas = {
  write: { input: vmDisk.extend({ offset: bytes, base64: z.base64() }), output: nothing },
  writeRandom: {
    input: vmDisk.extend({ seed: z.number().int(), count: z.number().int().nonnegative(), blockBytes: z.number().int().positive() }),
    output: z.number(),
  },
  read: { input: vmDisk.extend({ offset: bytes, length: bytes.max(64 << 20) }), output: z.base64() },
  checksum: { input: vmDisk, output: z.string() },
  diskPath: { input: vmDisk, output: z.string() },
  imagePath: { input: z.object({ image: id }), output: z.string() },
  inject: { input: faultRuleSchema, output: nothing },
  clearFaults: { input: z.object({}), output: nothing },
  setTimes: { input: times, output: nothing },
  hold: { input: z.object({ steps: z.array(timedStep) }), output: nothing },
  step: { input: z.object({ count: z.number().int().positive() }), output: z.number() },
  release: { input: z.object({}), output: nothing },
  idle: { input: z.object({}), output: nothing },
  vanishDevice: { input: vmDisk, output: nothing },
  shrinkDevice: { input: vmDisk.extend({ sizeBytes: bytes }), output: nothing },
  setDatastoreFree: { input: z.object({ datastore: id, freeMiB: z.number().int().nonnegative(), monitored: z.boolean().default(true) }), output: nothing },
  setHostCapacity: {
    input: z.object({
      host: id,
      memoryMiB: z.number().int().nonnegative().optional(),
      cpu: z.number().nonnegative().optional(),
      /** PIN_POLICY: such a host takes pinned VMs, and no others. */
      pinned: z.boolean().optional(),
      pciDevices: z.array(z.object({ shortAddress: z.string(), vendor: z.string(), device: z.string(), class: z.string() })).optional(),
    }),
    output: nothing,
  },
  setGuestAgent: { input: z.object({ vm: id, agent: guestAgent }), output: nothing },
  setAgentMonitoring: { input: z.object({ enabled: z.boolean() }), output: nothing },
  expectGuest: { input: guestLifeSchema, output: nothing },
  monitored: { input: z.object({ vm: id, found: z.enum(['UNKNOWN', 'RUNNING', 'POWEROFF', 'SUSPENDED']) }), output: nothing },
  history: { input: z.object({ vm: id }), output: historySchema },
  useDevice: {
    input: vmDisk.extend({ kind: z.enum(['lvm', 'multipath', 'crypt', 'md', 'mount', 'swap']), name: z.string() }),
    output: nothing,
  },
  letGoDevice: { input: vmDisk, output: nothing },
  state: { input: z.object({}), output: simStateSchema },
  leftovers: { input: z.object({ prefix: z.string().min(1) }), output: z.array(leftoverSchema) },
  createVm: { input: vmSpec, output: z.object({ vmId: id, imageIds: z.array(id), templateId: id }) },
  unexpectedErrors: { input: z.object({}), output: z.array(z.string()) },
  createUser: { input: userSpec, output: z.object({ userId: id, groupId: id }) },
  grant: { input: z.object({ user: z.string(), rule: z.string() }), output: z.number() },
  populate: { input: population, output: z.object({ vmIds: z.array(id), imageIds: z.array(id) }) },
} as const;

export type ControlName = keyof typeof controlSchemas;
export type ControlInput<N extends ControlName> = z.output<(typeof controlSchemas)[N]['input']>;
export type ControlOutput<N extends ControlName> = z.output<(typeof controlSchemas)[N]['output']>;

export function isControlName(name: string): name is ControlName {
  return Object.hasOwn(controlSchemas, name);
}
