import { z } from 'zod';
import type { DatastoreId, DiskId, ImageId, SnapshotId, TemplateId, VmId } from './model.ts';
import type { XmlRpcArgument } from './transport.ts';

/**
 * Every XML-RPC method this product calls; no other file names one. A line is: OpenNebula's name, the arguments in its order (the session is
 * prepended by the transport), what a success carries, and whether making the call twice has the effect of making it once.
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

/** Filter flag: every object the caller may use. */
const ALL = -2;
/** VM state filter: any but DONE. */
const NOT_DONE = -1;
/** Never ask for decrypted attributes: they would end up in restore points. */
const ENCRYPTED = false;

export const methods = {
  systemVersion: { name: 'one.system.version', args: () => [], result: text, idempotent: true },
  userInfo: { name: 'one.user.info', args: (user: number) => [user, ENCRYPTED], result: xml, idempotent: true },

  vmInfo: { name: 'one.vm.info', args: (vm: VmId) => [vm, ENCRYPTED], result: xml, idempotent: true },
  vmPoolInfo: { name: 'one.vmpool.info', args: (offset: number, count: number) => [ALL, offset, -count, NOT_DONE], result: xml, idempotent: true },
  vmDiskSnapshotCreate: { name: 'one.vm.disksnapshotcreate', args: (vm: VmId, disk: DiskId, name: string) => [vm, disk, name], result: id, idempotent: false },
  vmDiskSnapshotDelete: { name: 'one.vm.disksnapshotdelete', args: (vm: VmId, disk: DiskId, snapshot: SnapshotId) => [vm, disk, snapshot], result: id, idempotent: false },
  vmDiskSnapshotRevert: { name: 'one.vm.disksnapshotrevert', args: (vm: VmId, disk: DiskId, snapshot: SnapshotId) => [vm, disk, snapshot], result: id, idempotent: false },
  // The empty image type stands for "as the source"; snapshot -1 is the live state.
  vmDiskSaveAs: { name: 'one.vm.disksaveas', args: (vm: VmId, disk: DiskId, name: string, snapshot: SnapshotId | -1) => [vm, disk, name, '', snapshot], result: id, idempotent: false },
  vmAttach: { name: 'one.vm.attach', args: (vm: VmId, template: string) => [vm, template], result: id, idempotent: false },
  vmDetach: { name: 'one.vm.detach', args: (vm: VmId, disk: DiskId) => [vm, disk], result: id, idempotent: false },
  // The action comes first.
  vmAction: { name: 'one.vm.action', args: (action: string, vm: VmId) => [action, vm], result: id, idempotent: false },
  // 1 merges, 0 would replace USER_TEMPLATE.
  vmUpdate: { name: 'one.vm.update', args: (vm: VmId, template: string) => [vm, template, 1], result: id, idempotent: true },

  imageInfo: { name: 'one.image.info', args: (image: ImageId) => [image, ENCRYPTED], result: xml, idempotent: true },
  imagePoolInfo: { name: 'one.imagepool.info', args: (offset: number, count: number) => [ALL, offset, -count], result: xml, idempotent: true },
  // false: the datastore's capacity is checked.
  imageAllocate: { name: 'one.image.allocate', args: (template: string, datastore: DatastoreId) => [template, datastore, false], result: id, idempotent: false },
  imageDelete: { name: 'one.image.delete', args: (image: ImageId, force: boolean) => [image, force], result: id, idempotent: false },
  imagePersistent: { name: 'one.image.persistent', args: (image: ImageId, persistent: boolean) => [image, persistent], result: id, idempotent: true },

  // These pools know no paging.
  datastorePoolInfo: { name: 'one.datastorepool.info', args: () => [], result: xml, idempotent: true },
  hostPoolInfo: { name: 'one.hostpool.info', args: () => [], result: xml, idempotent: true },

  templateAllocate: { name: 'one.template.allocate', args: (template: string) => [template], result: id, idempotent: false },
  templateInfo: { name: 'one.template.info', args: (template: TemplateId) => [template, false, ENCRYPTED], result: xml, idempotent: true },
  templatePoolInfo: { name: 'one.templatepool.info', args: (offset: number, count: number) => [ALL, offset, -count], result: xml, idempotent: true },
  // All five always: 6.10 and 7.0 read the extra template whenever hold is there. The last, a persistent clone, is never wanted.
  templateInstantiate: { name: 'one.template.instantiate', args: (template: TemplateId, name: string, hold: boolean, extra: string) => [template, name, hold, extra, false], result: id, idempotent: false },
  // true would delete the images the template names.
  templateDelete: { name: 'one.template.delete', args: (template: TemplateId) => [template, false], result: id, idempotent: false },

  vnetInfo: { name: 'one.vn.info', args: (id: number) => [id, ENCRYPTED], result: xml, idempotent: true },
  securityGroupInfo: { name: 'one.secgroup.info', args: (id: number) => [id, ENCRYPTED], result: xml, idempotent: true },
  groupInfo: { name: 'one.group.info', args: (id: number) => [id, ENCRYPTED], result: xml, idempotent: true },
  clusterInfo: { name: 'one.cluster.info', args: (id: number) => [id, ENCRYPTED], result: xml, idempotent: true },
  hostInfo: { name: 'one.host.info', args: (id: number) => [id, ENCRYPTED], result: xml, idempotent: true },
  datastoreInfo: { name: 'one.datastore.info', args: (id: number) => [id, ENCRYPTED], result: xml, idempotent: true },
} as const satisfies Record<string, Method<never, unknown>>;
