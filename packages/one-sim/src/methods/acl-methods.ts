import { element } from '../bodies/element.ts';
import type { AclRule } from '../model/world-schema.ts';
import { ruleText, whyMalformed } from '../rights/acl-rule.ts';
import { newObject } from '../rights/authorization.ts';
import { FAULT_CODE, Fault, internal } from '../wire/refusal.ts';
import { authorize, type Call, type Method } from './call.ts';

const ZONE = '100000000'; // #0

/** one.acl.addrule: user, resource, rights and zone as hexadecimal text, since XML-RPC has no 64-bit integer (src/rm/RequestManagerAcl.cc). */
const addRule: Method = (call) => {
  const { world } = call.cloud;
  const [user = '', resource = '', rights = ''] = [1, 2, 3].map((at) => hexOf(call, at));
  const zone = call.params.size > 4 ? hexOf(call, 4) : ZONE;
  authorize(call, 'MANAGE', newObject('ACL'));
  const rule = { user, resource, rights, zone };
  const same = (other: AclRule): boolean => other.user === user && other.resource === resource && other.rights === rights && other.zone === zone;
  if (world.acls.some(same)) throw internal(`Rule ${ruleText(rule)} already exists`);
  const malformed = whyMalformed(BigInt(`0x${user}`), BigInt(`0x${resource}`), BigInt(`0x${rights}`));
  if (malformed !== undefined) throw internal(`Rule ${ruleText(rule)} is malformed: ${malformed}`);
  const id = world.nextId('acl');
  world.acls.push({ id, ...rule });
  return id;
};

/** Without leading zeros and in lower case, so that equal rules look equal. */
function hexOf(call: Call, index: number): string {
  const text = call.params.string(index).trim().replace(/^0x/i, '');
  if (!/^[0-9a-f]{1,16}$/i.test(text)) throw new Fault(FAULT_CODE.TYPE, `Parameter ${index} is not a hexadecimal number`);
  return BigInt(`0x${text}`).toString(16);
}

const delRule: Method = (call) => {
  const { acls } = call.cloud.world;
  const id = call.params.int(1);
  authorize(call, 'MANAGE', newObject('ACL'));
  const at = acls.findIndex((rule) => rule.id === id);
  if (at < 0) throw internal(`Rule ${id} does not exist`);
  acls.splice(at, 1);
  return id;
};

const info: Method = (call) => {
  authorize(call, 'MANAGE', newObject('ACL'));
  const byUser = [...call.cloud.world.acls].sort((a, b) => Number(BigInt(`0x${a.user}`) - BigInt(`0x${b.user}`)));
  const rules = byUser.map((rule) =>
    element(
      'ACL',
      element('ID', rule.id) +
        element('USER', rule.user) +
        element('RESOURCE', rule.resource) +
        element('RIGHTS', rule.rights) +
        element('ZONE', rule.zone) +
        element('STRING', ruleText(rule)),
    ),
  );
  return element('ACL_POOL', rules.join(''));
};

export const aclMethods: Readonly<Record<string, Method>> = { 'one.acl.addrule': addRule, 'one.acl.delrule': delRule, 'one.acl.info': info };
