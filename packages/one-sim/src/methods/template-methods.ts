import { templateBody } from '../bodies/infrastructure-body.ts';
import { VM_STATE } from '../model/states.ts';
import type { VmTemplate } from '../model/world-schema.ts';
import { newObject } from '../rights/authorization.ts';
import { decryptedVmAttributes, encryptVmAttributes } from '../rights/encryption.ts';
import { type Attributes, isYes, mergeAttributes, takeText, vectorsOf } from '../template/attributes.ts';
import { ERROR_CODE, Refusal } from '../wire/refusal.ts';
import { attributesOf, authorize, authorizeAll, type Call, imageOf, type Method, onImage, onTemplate, templateOf } from './call.ts';
import { describeDisk, namedImage, useNeeds } from './disk-record.ts';
import { instantiate } from './instantiate.ts';
import { selectPool } from './pool-filter.ts';
import { refuseRestricted, refuseRestrictedUpdate } from './restricted.ts';
import { recordTemplate } from './template-record.ts';

const allocateTemplate: Method = (call) => {
  const template = attributesOf(call.params.string(1));
  authorize(call, 'CREATE', newObject('TEMPLATE'));
  refuseRestricted(call, template, 'VM Template');
  return recordTemplate(call, template).id;
};

/** one.template.info(id, extended?, decrypt?): `extended` prints the disks as they would be. */
const info: Method = (call) => {
  const { params, cloud } = call;
  const template = templateOf(call, params.int(1));
  const extended = params.boolean(2, false);
  const plain = call.isAdmin && params.boolean(3, false);
  authorizeAll(call, [
    { operation: 'USE', object: onTemplate(template), ignoreLock: true },
    ...(extended ? useNeeds(call, template.template).map((need) => ({ ...need, ignoreLock: true })) : []),
  ]);
  const attributes = extended ? withDescribedDisks(call, template.template) : template.template;
  return templateBody(cloud.world, { ...template, template: plain ? decryptedVmAttributes(attributes, cloud.world.zoneKey) : attributes });
};

function withDescribedDisks(call: Call, attributes: Attributes): Attributes {
  const disks = vectorsOf(attributes, 'DISK').map((disk) => {
    const { DISK_ID: _id, ...described } = describeDisk(call, disk) ?? disk;
    return described;
  });
  return disks.length === 0 ? attributes : { ...attributes, DISK: disks };
}

const poolInfo: Method = (call) => {
  const templates = selectPool(call, 'TEMPLATE', call.cloud.world.templates.values());
  return `<VMTEMPLATE_POOL>${templates.map((template) => templateBody(call.cloud.world, template)).join('')}</VMTEMPLATE_POOL>`;
};

const update: Method = (call) => {
  const template = templateOf(call, call.params.int(1));
  const text = call.params.string(2);
  const append = call.params.int(3, 0);
  authorize(call, 'MANAGE', onTemplate(template));
  if (append < 0 || append > 1) throw new Refusal(ERROR_CODE.XML_RPC_API, 'Wrong update type');
  const attributes = attributesOf(text);
  refuseRestrictedUpdate(call, attributes, template.template, append === 1);
  takeText(attributes, 'NAME');
  encryptVmAttributes(attributes, call.cloud.world.zoneKey);
  template.template = append === 1 ? mergeAttributes(template.template, attributes) : attributes;
  return template.id;
};

/** With `true` the images the template names go too: the trap of the real one. */
const deleteTemplate: Method = (call) => {
  const template = templateOf(call, call.params.int(1));
  const images = call.params.boolean(2, false);
  authorize(call, 'MANAGE', onTemplate(template));
  if (images) deleteImages(call, template);
  call.cloud.world.templates.delete(template.id);
  return template.id;
};

function deleteImages(call: Call, template: VmTemplate): void {
  for (const disk of vectorsOf(template.template, 'DISK')) {
    const image = namedImage(call, disk);
    if (typeof image !== 'object' || image.vmIds.length > 0) continue;
    authorize(call, 'MANAGE', onImage(imageOf(call, image.id)));
    call.cloud.engine.submit({ kind: 'image-delete', image: image.id, force: false });
  }
}

/** one.template.instantiate(id, name, hold, extra, persistent). Until 7.0 `hold` cannot come without `extra` (RequestManagerVMTemplate.cc:42). */
const instantiateTemplate: Method = (call) => {
  const { cloud, params } = call;
  const id = params.int(1);
  const name = params.string(2);
  const hold = params.size > 3 && params.boolean(3);
  const extra = params.size > 4 || (params.size > 3 && !cloud.world.atLeast(7, 2)) ? params.string(4) : '';
  const persistent = params.size > 5 && params.boolean(5);
  const attributes = attributesOf(extra);
  const guestTree = isYes(takeText(attributes, 'ONEVAULT_SIM_PROXY'));
  const agent = takeText(attributes, 'ONEVAULT_SIM_AGENT');
  const guestAgent = agent === 'works' || agent === 'silent' ? agent : undefined;
  const vm = instantiate(call, templateOf(call, id), { name, hold, extra: attributes, persistent, guestTree, guestAgent });
  if (vm.state === VM_STATE.PENDING) cloud.engine.submit({ kind: 'deploy', vm: vm.id });
  return vm.id;
};

export const templateMethods: Readonly<Record<string, Method>> = {
  'one.template.allocate': allocateTemplate,
  'one.template.info': info,
  'one.templatepool.info': poolInfo,
  'one.template.update': update,
  'one.template.delete': deleteTemplate,
  'one.template.instantiate': instantiateTemplate,
};
