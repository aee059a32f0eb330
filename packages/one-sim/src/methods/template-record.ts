import type { VmTemplate } from '../model/world-schema.ts';
import { encryptVmAttributes } from '../rights/encryption.ts';
import { type Attributes, takeText } from '../template/attributes.ts';
import { internal } from '../wire/refusal.ts';
import { type Call, ownedBy, whyInvalidName } from './call.ts';

/** VMTemplatePool::allocate; what it refuses comes with code 8192 and no prefix (TemplateAllocate::pool_allocate). */
export function recordTemplate(call: Call, template: Attributes): VmTemplate {
  const { world } = call.cloud;
  const name = takeText(template, 'NAME') ?? '';
  const invalid = whyInvalidName(name);
  if (invalid !== undefined) throw internal(invalid);
  const taken = [...world.templates.values()].find((other) => other.uid === call.caller.id && other.name === name);
  if (taken) throw internal(`NAME is already taken by TEMPLATE ${taken.id}.`);
  encryptVmAttributes(template, world.zoneKey);
  const id = world.nextId('template');
  const recorded: VmTemplate = { id, name, ...ownedBy(call), regtime: call.cloud.now(), template };
  world.templates.set(id, recorded);
  return recorded;
}
