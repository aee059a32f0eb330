import { z } from 'zod';
import type { DatastoreId, DiskId, ImageId, SnapshotId, TemplateId, VmId } from './model.ts';
import type { XmlRpcArgument } from './transport.ts';

/**
 * Every XML-RPC method this product calls; no other file names one. A line is: OpenNebula's name, the arguments in its order (the session is
 * prepended by the transport), and what a success carries. `repeatable` says that making the call twice has the effect of making it once.
 * Compare with docs.opennebula.io, "XML-RPC API", or src/rm in the OpenNebula tree.
 */
export interface Method<Args extends readonly unknown[], Result> {
  readonly name: `one.${string}`;
  readonly args: (...args: Args) => readonly XmlRpcArgument[];
  readonly result: z.ZodType<Result>;
  readonly idempotent: boolean;
}
/** xmlrpc decodes `<i8>` as text. */
const id = z.union([z.int().nonnegative(), z.string().regex(/^\d+$/).transform(Number)]);
const xml = z.string();
const text = z.string();

/** USE, MANAGE, ADMIN of owner, group and others: 1, 0, or -1 to leave one as it is. */
export type PermissionBits = readonly (1 | 0 | -1)[];

/** Filter flag: every object the caller may use. */
const ALL = -2;
/** VM state filter: any but DONE. */
const NOT_DONE = -1;
/** Attributes that oned keeps encrypted stay so: what is read is printed, and kept in restore points. `…Decrypted` are the exception, and say so. */
const ENCRYPTED = false;
const DECRYPTED = true;

function repeatable<Args extends readonly unknown[], Result>(
  name: Method<Args, Result>['name'],
  args: Method<Args, Result>['args'],
  result: z.ZodType<Result>,
): Method<Args, Result> {
  return { name, args, result, idempotent: true };
}

function once<Args extends readonly unknown[], Result>(
  name: Method<Args, Result>['name'],
  args: Method<Args, Result>['args'],
  result: z.ZodType<Result>,
): Method<Args, Result> {
  return { name, args, result, idempotent: false };
}

export const methods = {
  systemVersion: repeatable('one.system.version', () => [], text),
  systemConfig: repeatable('one.system.config', () => [], xml),
  aclInfo: repeatable('one.acl.info', () => [], xml),
  userInfo: repeatable('one.user.info', (user: number) => [user, ENCRYPTED], xml),

  vmInfo: repeatable('one.vm.info', (vm: VmId) => [vm, ENCRYPTED], xml),
  vmInfoDecrypted: repeatable('one.vm.info', (vm: VmId) => [vm, DECRYPTED], xml),
  vmPoolInfoExtended: repeatable('one.vmpool.infoextended', (offset: number, count: number) => [ALL, offset, -count, NOT_DONE], xml),
  vmPoolInfo: repeatable('one.vmpool.info', (offset: number, count: number) => [ALL, offset, -count, NOT_DONE], xml),
  vmDiskSnapshotCreate: once('one.vm.disksnapshotcreate', (vm: VmId, disk: DiskId, name: string) => [vm, disk, name], id),
  vmDiskSnapshotDelete: once('one.vm.disksnapshotdelete', (vm: VmId, disk: DiskId, snapshot: SnapshotId) => [vm, disk, snapshot], id),
  vmDiskSnapshotRevert: once('one.vm.disksnapshotrevert', (vm: VmId, disk: DiskId, snapshot: SnapshotId) => [vm, disk, snapshot], id),
  // The empty image type stands for "as the source"; snapshot -1 is the live state.
  vmDiskSaveAs: once('one.vm.disksaveas', (vm: VmId, disk: DiskId, name: string, snapshot: SnapshotId | -1) => [vm, disk, name, '', snapshot], id),
  // Carries the VM's id, not the new disk's.
  vmAttach: once('one.vm.attach', (vm: VmId, template: string) => [vm, template], id),
  vmDetach: once('one.vm.detach', (vm: VmId, disk: DiskId) => [vm, disk], id),
  // The action comes first.
  vmAction: once('one.vm.action', (action: string, vm: VmId) => [action, vm], id),
  // 1 merges, 0 would replace USER_TEMPLATE.
  vmUpdate: repeatable('one.vm.update', (vm: VmId, template: string) => [vm, template, 1], id),
  vmUpdateConf: repeatable('one.vm.updateconf', (vm: VmId, template: string) => [vm, template, 1], id),
  // -1 leaves owner or group as it is.
  vmChown: repeatable('one.vm.chown', (vm: VmId, user: number, group: number) => [vm, user, group], id),
  vmChmod: repeatable('one.vm.chmod', (vm: VmId, bits: PermissionBits) => [vm, ...bits], id),

  imageInfo: repeatable('one.image.info', (image: ImageId) => [image, ENCRYPTED], xml),
  imageInfoDecrypted: repeatable('one.image.info', (image: ImageId) => [image, DECRYPTED], xml),
  // 1 merges, 0 would replace the template.
  imageUpdate: repeatable('one.image.update', (image: ImageId, template: string) => [image, template, 1], id),
  imageChown: repeatable('one.image.chown', (image: ImageId, user: number, group: number) => [image, user, group], id),
  imageChmod: repeatable('one.image.chmod', (image: ImageId, bits: PermissionBits) => [image, ...bits], id),
  imagePoolInfo: repeatable('one.imagepool.info', (offset: number, count: number) => [ALL, offset, -count], xml),
  // false: the datastore's capacity is checked.
  imageAllocate: once('one.image.allocate', (template: string, datastore: DatastoreId) => [template, datastore, false], id),
  imageDelete: once('one.image.delete', (image: ImageId, force: boolean) => [image, force], id),
  imagePersistent: repeatable('one.image.persistent', (image: ImageId, persistent: boolean) => [image, persistent], id),

  // These pools know no paging.
  userPoolInfo: repeatable('one.userpool.info', () => [], xml),
  groupPoolInfo: repeatable('one.grouppool.info', () => [], xml),
  datastorePoolInfo: repeatable('one.datastorepool.info', () => [], xml),
  hostPoolInfo: repeatable('one.hostpool.info', () => [], xml),
  // This one does; networks are few enough to come whole.
  vnetPoolInfo: repeatable('one.vnpool.info', () => [ALL, -1, -1], xml),

  templateAllocate: once('one.template.allocate', (template: string) => [template], id),
  templateInfo: repeatable('one.template.info', (template: TemplateId) => [template, false, ENCRYPTED], xml),
  templatePoolInfo: repeatable('one.templatepool.info', (offset: number, count: number) => [ALL, offset, -count], xml),
  // All five always: 6.10 and 7.0 read the extra template whenever hold is there. The last, a persistent clone, is never wanted.
  templateInstantiate: once(
    'one.template.instantiate',
    (template: TemplateId, name: string, hold: boolean, extra: string) => [template, name, hold, extra, false],
    id,
  ),
  // true would delete the images the template names.
  templateDelete: once('one.template.delete', (template: TemplateId) => [template, false], id),

  vnetInfo: repeatable('one.vn.info', (vnet: number) => [vnet, ENCRYPTED], xml),
  securityGroupInfo: repeatable('one.secgroup.info', (group: number) => [group, ENCRYPTED], xml),
  vmGroupInfo: repeatable('one.vmgroup.info', (group: number) => [group, ENCRYPTED], xml),
  groupInfo: repeatable('one.group.info', (group: number) => [group, ENCRYPTED], xml),
  clusterInfo: repeatable('one.cluster.info', (cluster: number) => [cluster, ENCRYPTED], xml),
  hostInfo: repeatable('one.host.info', (host: number) => [host, ENCRYPTED], xml),
  datastoreInfo: repeatable('one.datastore.info', (datastore: number) => [datastore, ENCRYPTED], xml),
} as const;
