import { z } from 'zod';
import { attributesSchema } from '../template/attributes.ts';

/** Owner, group, other x USE, MANAGE, ADMIN: nine times 0 or 1, in the order of the PERMISSIONS element. */
const permissionsSchema = z.array(z.number()).length(9);
const lockSchema = z.object({ level: z.number(), owner: z.number(), time: z.number(), requestId: z.number() });
const owned = { id: z.number(), uid: z.number(), gid: z.number(), name: z.string(), permissions: permissionsSchema, lock: lockSchema.optional() };

const snapshotSchema = z.object({
  id: z.number(),
  name: z.string(),
  date: z.number(),
  parent: z.number(),
  children: z.array(z.number()),
  active: z.boolean(),
  sizeMiB: z.number(),
  /** The driver's file of it: gone or never there (`missing`), or committed into its parent's with a pointer left (`moved`). */
  file: z.enum(['missing', 'moved']).optional(),
});

/** SNAPSHOTS of one disk or image (src/vm/Snapshots.cc). `diskId` is absent on an image. */
export const snapshotTreeSchema = z.object({
  diskId: z.number().optional(),
  allowOrphans: z.enum(['NO', 'YES', 'MIXED', 'LINEAR']),
  currentBase: z.number(),
  nextSnapshot: z.number(),
  snapshots: z.array(snapshotSchema),
  /** Number of the qcow2 file the guest writes to; absent is 0. Drifts from NEXT_SNAPSHOT when a creation fails (opennebula.md e.4). */
  overlay: z.number().optional(),
  /** The domain names that file itself, not the disk.N link: after a hot-attach or a live snapshot, until the next boot. */
  direct: z.boolean().optional(),
  /** The snapshot whose frozen file the guest goes on writing to after a resume. */
  stray: z.number().optional(),
  /** That file was deleted under the guest: what it writes is gone when it ends. */
  lost: z.boolean().optional(),
});

const historySchema = z.object({
  seq: z.number(),
  hostName: z.string(),
  hostId: z.number(),
  clusterId: z.number(),
  stime: z.number(),
  etime: z.number(),
  vmMad: z.string(),
  tmMad: z.string(),
  datastoreId: z.number(),
  pstime: z.number(),
  petime: z.number(),
  rstime: z.number(),
  retime: z.number(),
  estime: z.number(),
  eetime: z.number(),
  action: z.number(),
  uid: z.number(),
  gid: z.number(),
  requestId: z.number(),
});

export const vmSchema = z.object({
  ...owned,
  state: z.number(),
  lcmState: z.number(),
  prevState: z.number(),
  prevLcmState: z.number(),
  stime: z.number(),
  etime: z.number(),
  deployId: z.string(),
  template: attributesSchema,
  userTemplate: attributesSchema,
  history: z.array(historySchema),
  snapshots: z.array(snapshotTreeSchema),
  backupConfig: z.record(z.string(), z.string()),
  /** Images of native backups. */
  backupIds: z.array(z.number()).optional(),
  /** This VM is a proxy: its devices are laid out under proxy/<id>/. */
  guestTree: z.boolean(),
  /** qemu-guest-agent: absent when there is none; `silent` is configured and does not answer. */
  guestAgent: z.enum(['works', 'silent']).optional(),
  /** As last measured by its host; absent before the first poll. */
  monitoring: z.record(z.string(), z.string()).optional(),
});

export const imageSchema = z.object({
  ...owned,
  type: z.number(),
  persistent: z.boolean(),
  regtime: z.number(),
  modtime: z.number(),
  /** File name under datastores/<id>/; empty until the driver invented it. */
  source: z.string(),
  path: z.string(),
  format: z.string(),
  fs: z.string(),
  sizeMiB: z.number(),
  state: z.number(),
  prevState: z.number(),
  cloningOps: z.number(),
  cloningId: z.number(),
  datastoreId: z.number(),
  vmIds: z.array(z.number()),
  cloneIds: z.array(z.number()),
  template: attributesSchema,
  snapshots: snapshotTreeSchema,
  /** Its file cannot be opened as a disk: a copied qcow2 overlay whose backing file is not there (opennebula.md M.1). */
  broken: z.boolean(),
});

export const datastoreSchema = z.object({
  ...owned,
  dsMad: z.string(),
  tmMad: z.string(),
  type: z.number(),
  diskType: z.number(),
  state: z.number(),
  clusterIds: z.array(z.number()),
  totalMiB: z.number(),
  /** Free MiB as last monitored, when that is not what is free (MONITORING_INTERVAL_DATASTORE). */
  monitoredFreeMiB: z.number().optional(),
  /** What other tenants of the storage use; added to what the images take. */
  foreignMiB: z.number(),
  template: attributesSchema,
});

export const hostSchema = z.object({
  id: z.number(),
  name: z.string(),
  state: z.number(),
  imMad: z.string(),
  vmMad: z.string(),
  clusterId: z.number(),
  maxCpu: z.number(),
  maxMemoryKiB: z.number(),
  /** HOST_SHARE/PCI_DEVICES; who has one is seen in the VMs. */
  pciDevices: z.array(z.object({ shortAddress: z.string(), vendor: z.string(), device: z.string(), class: z.string() })).default([]),
  template: attributesSchema,
});

export const templateSchema = z.object({ ...owned, regtime: z.number(), template: attributesSchema });
export const clusterSchema = z.object({ id: z.number(), name: z.string(), template: attributesSchema });
/** Limits by quota ID and metric: -1 the default, -2 none (src/um/Quota.cc). The one VM quota is under ''. */
const quotaLimitsSchema = z.record(z.string(), z.record(z.string(), z.number()));
export const quotasSchema = z.object({ DATASTORE: quotaLimitsSchema, NETWORK: quotaLimitsSchema, VM: quotaLimitsSchema, IMAGE: quotaLimitsSchema });
/** Seconds since the epoch, -1 for ever; `gid` -1: every group of the user. */
const loginTokenSchema = z.object({ token: z.string(), expires: z.number(), gid: z.number() });
export const userSchema = z.object({
  id: z.number(),
  name: z.string(),
  gid: z.number(),
  groupIds: z.array(z.number()),
  passwordSha256: z.string(),
  enabled: z.boolean(),
  template: attributesSchema,
  tokens: z.array(loginTokenSchema).default([]),
  quotas: quotasSchema.default({ DATASTORE: {}, NETWORK: {}, VM: {}, IMAGE: {} }),
});
export const groupSchema = z.object({
  id: z.number(),
  name: z.string(),
  template: attributesSchema,
  quotas: quotasSchema.default({ DATASTORE: {}, NETWORK: {}, VM: {}, IMAGE: {} }),
});
/** An ACL rule as one.acl.addrule takes it: four hexadecimal numbers (src/acl/AclRule.cc). */
export const aclRuleSchema = z.object({ id: z.number(), user: z.string(), resource: z.string(), rights: z.string(), zone: z.string() });
export const networkSchema = z.object({
  ...owned,
  bridge: z.string(),
  vnMad: z.string(),
  clusterIds: z.array(z.number()),
  template: attributesSchema,
  firstIp: z.string(),
  size: z.number(),
  /** Offset in the address range to the VM that holds it. */
  leases: z.record(z.string(), z.number()),
});
export const securityGroupSchema = z.object({ ...owned, template: attributesSchema });

export const operationSchema = z.object({
  id: z.number(),
  kind: z.enum([
    'snapshot-create',
    'snapshot-delete',
    'snapshot-revert',
    'saveas',
    'attach',
    'detach',
    'resize',
    'capacity',
    'backup',
    'backup-store',
    'deploy',
    'action',
    'image-create',
    'image-ready',
    'image-delete',
    'image-clone',
  ]),
  vm: z.number().optional(),
  disk: z.number().optional(),
  snapshot: z.number().optional(),
  image: z.number().optional(),
  sourceImage: z.number().optional(),
  action: z.string().optional(),
  sizeMiB: z.number().optional(),
  force: z.boolean().optional(),
  /** The stable [STATE, LCM_STATE] to return to. */
  back: z.tuple([z.number(), z.number()]).optional(),
  /** Host to go to (one.vm.migrate). */
  host: z.number().optional(),
  /** Datastore a native backup goes to. */
  datastore: z.number().optional(),
  /** Who asked, for the history. */
  by: z.object({ uid: z.number(), gid: z.number(), requestId: z.number() }).optional(),
  /** Error text a fault rule wants from the driver. */
  failure: z.string().optional(),
  /** How far the driver comes before it fails: nothing done, half of it, all of it; `mkfs`: the datastore driver, before the transfer (disksaveas). */
  failPhase: z.enum(['before', 'half', 'after', 'mkfs']).optional(),
  /** The driver never answers: only one.vm.recover or a forced deletion ends it. */
  stuck: z.boolean().optional(),
});

/** What a big cloud keeps apart: written once, then only what is touched is written (ObjectPool). */
export const restSchema = z.object({ vms: z.array(vmSchema), images: z.array(imageSchema), templates: z.array(templateSchema) });
const goneSchema = z.array(z.number());

export const worldSchema = z.object({
  format: z.literal(1),
  version: z.string(),
  /** The file beside this one that holds what is at rest, and the ids that are no more. */
  rest: z.object({ name: z.string().regex(/^[a-z0-9-]+\.json$/), gone: z.object({ vms: goneSchema, images: goneSchema, templates: goneSchema }) }).optional(),
  next: z.record(z.string(), z.number()),
  vms: z.array(vmSchema),
  images: z.array(imageSchema),
  datastores: z.array(datastoreSchema),
  hosts: z.array(hostSchema),
  templates: z.array(templateSchema),
  clusters: z.array(clusterSchema),
  users: z.array(userSchema),
  groups: z.array(groupSchema),
  networks: z.array(networkSchema),
  securityGroups: z.array(securityGroupSchema),
  operations: z.array(operationSchema),
  acls: z.array(aclRuleSchema),
  /** ONE_KEY, hexadecimal: encrypts what *_ENCRYPTED_ATTR name. */
  zoneKey: z.string(),
});

export type WorldData = z.infer<typeof worldSchema>;
export type RestData = z.infer<typeof restSchema>;
export type Vm = z.infer<typeof vmSchema>;
export type HistoryRecord = z.infer<typeof historySchema>;
export type SnapshotTree = z.infer<typeof snapshotTreeSchema>;
export type Snapshot = z.infer<typeof snapshotSchema>;
export type Image = z.infer<typeof imageSchema>;
export type Datastore = z.infer<typeof datastoreSchema>;
export type Host = z.infer<typeof hostSchema>;
export type VmTemplate = z.infer<typeof templateSchema>;
export type Cluster = z.infer<typeof clusterSchema>;
export type User = z.infer<typeof userSchema>;
export type Group = z.infer<typeof groupSchema>;
export type Network = z.infer<typeof networkSchema>;
export type SecurityGroup = z.infer<typeof securityGroupSchema>;
export type Operation = z.infer<typeof operationSchema>;
export type Quotas = z.infer<typeof quotasSchema>;
export type AclRule = z.infer<typeof aclRuleSchema>;
export type Owned = {
  id: number;
  uid: number;
  gid: number;
  name: string;
  permissions: number[];
  lock?: { level: number; owner: number; time: number; requestId: number } | undefined;
};
