import type { CallOptions, Secret } from '@onevault/base';
import type { AclRule } from './acl.ts';
import type {
  Attributes,
  Datastore,
  DatastoreId,
  DiskId,
  Group,
  Host,
  HostId,
  Image,
  ImageId,
  Network,
  Permissions,
  SnapshotId,
  Template,
  TemplateId,
  User,
  Vm,
  VmId,
  VmSummary,
} from './model.ts';

/**
 * The calls as OpenNebula offers them. Its verbs answer before the work is done: a resolved promise means "accepted" (the effect is judged by
 * reading the object again, `waitForVm` / `waitForImage`). Every method throws OneError.
 */
export interface OneApi {
  readonly endpoint: URL;
  version(options?: CallOptions): Promise<string>;
  /** The caller itself (one.user.info -1): also the connection test. */
  whoAmI(options?: CallOptions): Promise<User>;
  /** A user or group with its quotas. */
  user(id: number, options?: CallOptions): Promise<User>;
  group(id: number, options?: CallOptions): Promise<Group>;
  /** Those the caller may see. */
  users(options?: CallOptions): Promise<readonly Named[]>;
  groups(options?: CallOptions): Promise<readonly Named[]>;
  /** Every access rule; see `mayDo`. */
  aclRules(options?: CallOptions): Promise<readonly AclRule[]>;
  /** oned.conf; without the group oneadmin only a part of it. */
  configuration(options?: CallOptions): Promise<Attributes>;

  vm(id: VmId, options?: CallOptions): Promise<Vm>;
  /** Every VM the caller may use and that is not DONE, by paging. */
  vms(options?: CallOptions): AsyncIterable<VmSummary>;
  /** The same with full bodies but for the history, of which the last record comes. Twenty times the bytes: for what must look into every VM. */
  fullVms(options?: CallOptions): AsyncIterable<Vm>;
  createDiskSnapshot(vm: VmId, disk: DiskId, name: string, options?: CallOptions): Promise<SnapshotId>;
  deleteDiskSnapshot(vm: VmId, disk: DiskId, snapshot: SnapshotId, options?: CallOptions): Promise<void>;
  revertDiskSnapshot(vm: VmId, disk: DiskId, snapshot: SnapshotId, options?: CallOptions): Promise<void>;
  /** `snapshot` undefined: the live state (-1). Returns the id of the new, still LOCKED image. */
  saveDiskAs(vm: VmId, disk: DiskId, name: string, snapshot: SnapshotId | undefined, options?: CallOptions): Promise<ImageId>;
  /** `disk`: the attributes of one DISK vector. OpenNebula answers the VM's id, never the DISK_ID. */
  attachDisk(vm: VmId, disk: Readonly<Record<string, string>>, options?: CallOptions): Promise<void>;
  detachDisk(vm: VmId, disk: DiskId, options?: CallOptions): Promise<void>;
  vmAction(vm: VmId, action: VmAction, options?: CallOptions): Promise<void>;
  /** Merges into USER_TEMPLATE. */
  updateVm(vm: VmId, attributes: Readonly<Record<string, string>>, options?: CallOptions): Promise<void>;
  /** Merges into what of TEMPLATE may be changed later (`OS/BOOT`, …): not while the VM is SUSPENDED, STOPPED or busy (VirtualMachine::updateconf). */
  updateVmConfiguration(vm: VmId, attributes: Attributes, options?: CallOptions): Promise<void>;
  /** MANAGE on the VM and on the new owner, USE of the new group; quotas go with it. */
  chownVm(vm: VmId, owner: NewOwner, options?: CallOptions): Promise<void>;
  /** MANAGE on the VM; ADMIN where an `admin` bit changes. */
  chmodVm(vm: VmId, permissions: Permissions, options?: CallOptions): Promise<void>;

  image(id: ImageId, options?: CallOptions): Promise<Image>;
  images(options?: CallOptions): AsyncIterable<Image>;
  /** Merges into its TEMPLATE. */
  updateImage(id: ImageId, attributes: Readonly<Record<string, string>>, options?: CallOptions): Promise<void>;
  allocateImage(attributes: Readonly<Record<string, string>>, datastore: DatastoreId, options?: CallOptions): Promise<ImageId>;
  deleteImage(id: ImageId, options?: CallOptions & { readonly force?: boolean }): Promise<void>;
  /** As of a VM; the new owner must not have an image of that name. */
  chownImage(id: ImageId, owner: NewOwner, options?: CallOptions): Promise<void>;
  chmodImage(id: ImageId, permissions: Permissions, options?: CallOptions): Promise<void>;
  setImagePersistent(id: ImageId, persistent: boolean, options?: CallOptions): Promise<void>;

  datastores(options?: CallOptions): Promise<readonly Datastore[]>;
  datastore(id: DatastoreId, options?: CallOptions): Promise<Datastore>;
  hosts(options?: CallOptions): Promise<readonly Host[]>;
  host(id: HostId, options?: CallOptions): Promise<Host>;
  /** Every network the caller may use, without the addresses in use. */
  networks(options?: CallOptions): Promise<readonly Network[]>;
  network(id: number, options?: CallOptions): Promise<Network>;

  /** `template`: OpenNebula template text; build it with `formatTemplate`. */
  allocateTemplate(template: string, options?: CallOptions): Promise<TemplateId>;
  template(id: TemplateId, options?: CallOptions): Promise<Template>;
  templates(options?: CallOptions): AsyncIterable<Template>;
  instantiateTemplate(id: TemplateId, name: string, options?: CallOptions & { readonly hold?: boolean; readonly extra?: string }): Promise<VmId>;
  /** Never deletes the images it names. */
  deleteTemplate(id: TemplateId, options?: CallOptions): Promise<void>;

  /** The body of a virtual network, security group, group …: kept as XML beside a restore point. */
  rawInfo(kind: RawKind, id: number, options?: CallOptions): Promise<string>;
  /** The body with what oned keeps encrypted (`*_ENCRYPTED_ATTR`) in the clear, for cloud administrators; others get it as `.info` gives it. Never to be printed. */
  decryptedInfo(kind: 'vm' | 'image', id: number, options?: CallOptions): Promise<Secret>;

  /** Polls at most once a second until `verdict` says done; a verdict may throw. Throws ONE_WAIT_TIMEOUT after `timeoutMs`. */
  waitForVm(id: VmId, verdict: (vm: Vm) => Verdict, options: WaitOptions): Promise<Vm>;
  /** As above; `undefined` stands for an image that does not exist (any more). */
  waitForImage(id: ImageId, verdict: (image: Image | undefined) => Verdict, options: WaitOptions): Promise<Image | undefined>;
}

export interface Named {
  readonly id: number;
  readonly name: string;
}

/** What is absent stays as it is. */
export interface NewOwner {
  readonly userId?: number | undefined;
  readonly groupId?: number | undefined;
}

export type RawKind = 'vn' | 'secgroup' | 'group' | 'cluster' | 'user' | 'host' | 'datastore' | 'vmgroup';
export type Verdict = 'wait' | 'done';
export type VmAction = 'suspend' | 'resume' | 'poweroff' | 'poweroff-hard' | 'terminate' | 'terminate-hard' | 'hold' | 'release' | 'stop' | 'undeploy';

export interface WaitOptions extends CallOptions {
  readonly timeoutMs: number;
  /** For the message: "snapshot ov-… of disk 0 to appear". */
  readonly what: string;
}
