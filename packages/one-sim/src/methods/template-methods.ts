import { templateBody } from '../bodies/infrastructure-body.ts';
import { VM_STATE } from '../model/states.ts';
import { isYes, mergeAttributes, takeText, vectorsOf } from '../template/attributes.ts';
import { allocate, internal } from '../wire/refusal.ts';
import { attributesOf, authorize, type Call, imageOf, type Method, ownedBy, RIGHT, templateOf, whyInvalidName } from './call.ts';
import { mayUseImages, namedImage } from './disk-record.ts';
import { selectPool } from './pool-filter.ts';
import { refuseRestricted } from './restricted.ts';
import { recordVm } from './vm-record.ts';

const allocateTemplate: Method = (call) => {
  const { cloud, params } = call;
  const template = attributesOf(params.string(1));
  refuseRestricted(call, template, 'VM Template');
  const name = takeText(template, 'NAME') ?? '';
  const invalid = whyInvalidName(name);
  if (invalid !== undefined) throw allocate('virtual machine template', invalid);
  const taken = [...cloud.world.templates.values()].find((other) => other.uid === call.caller.id && other.name === name);
  if (taken) throw allocate('virtual machine template', `NAME is already taken by TEMPLATE ${taken.id}.`);
  const id = cloud.world.nextId('template');
  cloud.world.templates.set(id, { id, name, ...ownedBy(call), regtime: cloud.now(), template });
  return id;
};

const info: Method = (call) => {
  const template = templateOf(call, call.params.int(1));
  authorize(call, template, 'TEMPLATE', RIGHT.USE, { ignoreLock: true });
  return templateBody(call.cloud.world, template);
};

const poolInfo: Method = (call) => {
  const templates = selectPool(call, call.cloud.world.templates.values());
  return `<VMTEMPLATE_POOL>${templates.map((template) => templateBody(call.cloud.world, template)).join('')}</VMTEMPLATE_POOL>`;
};

const update: Method = (call) => {
  const template = templateOf(call, call.params.int(1));
  const attributes = attributesOf(call.params.string(2));
  authorize(call, template, 'TEMPLATE', RIGHT.MANAGE);
  refuseRestricted(call, attributes, 'Template');
  takeText(attributes, 'NAME');
  template.template = call.params.int(3, 0) === 1 ? mergeAttributes(template.template, attributes) : attributes;
  return template.id;
};

/** With `true` the images the template names go too: the trap of the real one. */
const deleteTemplate: Method = (call) => {
  const template = templateOf(call, call.params.int(1));
  const images = call.params.boolean(2, false);
  authorize(call, template, 'TEMPLATE', RIGHT.MANAGE);
  if (images) deleteImages(call, template.id);
  call.cloud.world.templates.delete(template.id);
  return template.id;
};

function deleteImages(call: Call, templateId: number): void {
  const disks = vectorsOf(templateOf(call, templateId).template, 'DISK');
  for (const disk of disks) {
    const image = namedImage(call, disk);
    if (typeof image !== 'object' || image.vmIds.length > 0) continue;
    authorize(call, imageOf(call, image.id), 'IMAGE', RIGHT.MANAGE);
    call.cloud.engine.submit({ kind: 'image-delete', image: image.id, force: false });
  }
}

/** one.template.instantiate(id, name, hold, extra, persistent): `extra` replaces what it names. */
const instantiate: Method = (call) => {
  const { cloud, params } = call;
  const template = templateOf(call, params.int(1));
  const name = params.string(2);
  const hold = params.size > 3 && params.boolean(3);
  const extra = params.size > 3 ? attributesOf(params.string(4)) : {}; // both are read as soon as there are more than three
  const persistent = params.size > 5 && params.boolean(5);
  authorize(call, template, 'TEMPLATE', RIGHT.USE);
  refuseRestricted(call, extra, 'VM Template');
  if (persistent) throw internal('Instantiation as persistent is not available in this simulator.');
  const merged = mergeAttributes(template.template, extra);
  const forbidden = mayUseImages(call, vectorsOf(merged, 'DISK'));
  if (forbidden) authorize(call, forbidden, 'IMAGE', RIGHT.USE);
  const guestTree = isYes(takeText(merged, 'ONEVAULT_SIM_PROXY'));
  const agent = takeText(merged, 'ONEVAULT_SIM_AGENT');
  const guestAgent = agent === 'works' || agent === 'silent' ? agent : undefined;
  const vm = recordVm(call, merged, { name, templateId: template.id, hold, guestTree, guestAgent });
  if (name === '') vm.name = `${template.name}-${vm.id}`;
  if (vm.state === VM_STATE.PENDING) cloud.engine.submit({ kind: 'deploy', vm: vm.id });
  return vm.id;
};

export const templateMethods: Readonly<Record<string, Method>> = {
  'one.template.allocate': allocateTemplate,
  'one.template.info': info,
  'one.templatepool.info': poolInfo,
  'one.template.update': update,
  'one.template.delete': deleteTemplate,
  'one.template.instantiate': instantiate,
};
