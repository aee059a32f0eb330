import type { Vm, VmTemplate } from '../model/world-schema.ts';
import { QuotaRequest } from '../quotas/quota-check.ts';
import { addDisk, Usage } from '../quotas/quota-usage.ts';
import { groupObject, newObject, subjectOf, userObject } from '../rights/authorization.ts';
import { type Attributes, mergeAttributes, takeText, textOf, vectorsOf } from '../template/attributes.ts';
import { action, Refusal } from '../wire/refusal.ts';
import { authorizeAll, type Call, groupOf, imageOf, onTemplate, requireQuota, userOf } from './call.ts';
import { describeDisk, namedImage, useNeeds } from './disk-record.ts';
import { cloneImage } from './image-clone.ts';
import { refuseRestrictedChange } from './restricted.ts';
import { recordTemplate } from './template-record.ts';
import { recordVm } from './vm-record.ts';

interface Wish {
  readonly name: string;
  readonly hold: boolean;
  /** What replaces parts of the template. */
  readonly extra: Attributes;
  readonly persistent: boolean;
  readonly guestTree: boolean;
  readonly guestAgent: Vm['guestAgent'];
}

/** VMTemplateInstantiate::request_execute (src/rm/RequestManagerVMTemplate.cc). */
export function instantiate(call: Call, template: VmTemplate, wish: Wish): Vm {
  if (!wish.persistent) return createVm(call, template, wish);
  const copy = cloneTemplate(call, template, wish);
  return createVm(call, copy, { ...wish, extra: { CLONING_TEMPLATE_ID: [String(template.id)] } });
}

function createVm(call: Call, template: VmTemplate, wish: Wish): Vm {
  refuseRestrictedChange(call, wish.extra, template.template);
  const merged = mergeAttributes(template.template, wish.extra);
  const owner = asUser(call, merged);
  authorizeAll(owner, [
    { operation: 'USE', object: onTemplate(template) },
    ...(Object.keys(wish.extra).length > 0 ? [{ operation: 'CREATE', object: newObject('TEMPLATE') } as const] : []),
    ...useNeeds(owner, merged),
  ]);
  requireQuota(owner, { uid: owner.caller.id, gid: owner.subject.gid }, quotaOf(owner, merged));
  const { name, hold, guestTree, guestAgent } = wish;
  const vm = recordVm(owner, merged, { name, templateId: template.id, hold, guestTree, guestAgent });
  if (name === '') vm.name = `${template.name}-${vm.id}`;
  return vm;
}

/** AS_UID and AS_GID: the VM is made for somebody else, with that one's quotas; the groups stay the caller's unless one is named (Request::as_uid_gid). */
function asUser(call: Call, merged: Attributes): Call {
  const uid = idOf(takeText(merged, 'AS_UID'));
  const gid = idOf(takeText(merged, 'AS_GID'));
  const user = uid === undefined ? undefined : userOf(call, uid);
  if (gid !== undefined) groupOf(call, gid);
  const needs = [...(user && uid !== 0 ? [userObject(user)] : []), ...(gid === undefined || gid === 0 ? [] : [groupObject(gid)])];
  if (call.caller.id !== 0)
    authorizeAll(
      call,
      needs.map((object) => ({ operation: 'MANAGE', object })),
    );
  const caller = user && uid !== 0 ? user : call.caller;
  const subject = { ...subjectOf(call.cloud.world, caller, gid || undefined) };
  if (!gid) Object.assign(subject, { gid: call.subject.gid, groupIds: call.subject.groupIds });
  const isAdmin = caller.id === 0 || subject.groupIds.includes(0);
  return { ...call, caller, subject: { ...subject, isAdmin }, isAdmin };
}

const idOf = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));

/** What the VM will use: counted before anything is taken. */
function quotaOf(call: Call, template: Attributes): QuotaRequest {
  const usage = new Usage();
  const amounts = { VMS: 1, CPU: Number(textOf(template, 'CPU') ?? 0), MEMORY: Number(textOf(template, 'MEMORY') ?? 0) };
  for (const [metric, amount] of Object.entries(amounts)) {
    usage.add('VM', '', metric, amount);
    usage.add('VM', '', `RUNNING_${metric}`, amount);
  }
  for (const nic of [...vectorsOf(template, 'NIC'), ...vectorsOf(template, 'NIC_ALIAS')]) {
    const network = [...call.cloud.world.networks.values()].find((candidate) => candidate.name === nic['NETWORK']);
    const id = nic['NETWORK_ID'] ?? (network && String(network.id));
    if (id !== undefined) usage.add('NETWORK', id, 'LEASES', 1);
  }
  for (const disk of vectorsOf(template, 'DISK')) {
    const described = describeDisk(call, disk);
    if (described) addDisk(usage, described);
  }
  return QuotaRequest.of(usage);
}

/** VMTemplateClone::clone, recursive and persistent: a private copy of the template, and a persistent copy of every image it names. */
function cloneTemplate(call: Call, template: VmTemplate, wish: Wish): VmTemplate {
  refuseRestrictedChange(call, wish.extra, template.template);
  const name = wish.name === '' ? `${template.name}-copy` : wish.name;
  const attributes: Attributes = { ...mergeAttributes(template.template, wish.extra), NAME: [name] };
  authorizeAll(call, [
    { operation: 'USE', object: onTemplate(template) },
    { operation: 'CREATE', object: newObject('TEMPLATE') },
  ]);
  const copy = recordTemplate(call, attributes);
  const images: number[] = [];
  try {
    const disks = vectorsOf(copy.template, 'DISK').map((disk, at) => {
      const image = namedImage(call, disk);
      if (typeof image !== 'object') return disk;
      const id = cloneImage(call, imageOf(call, image.id), `${name}-disk-${at}`, { datastoreId: -1, persistent: true });
      images.push(id);
      const { IMAGE: _image, IMAGE_UNAME: _uname, IMAGE_UID: _uid, OPENNEBULA_MANAGED: _managed, ...rest } = disk;
      return { ...rest, IMAGE_ID: String(id) };
    });
    if (disks.length > 0) copy.template['DISK'] = disks;
    return copy;
  } catch (error) {
    call.cloud.world.templates.delete(copy.id);
    for (const image of images) call.cloud.engine.submit({ kind: 'image-delete', image, force: true });
    if (error instanceof Refusal) throw action(`Failed to clone images: ${error.message}`);
    throw error;
  }
}
