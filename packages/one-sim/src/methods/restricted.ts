import { type Attributes, vectorsOf } from '../template/attributes.ts';
import { ERROR_CODE, Refusal } from '../wire/refusal.ts';
import type { Call } from './call.ts';

/** Restricted attributes of a stock oned.conf (opennebula.md i.3): for the oneadmin group only. */
const DISK = ['TOTAL', 'READ', 'WRITE']
  .flatMap((kind) => ['BYTES', 'IOPS'].map((unit) => `${kind}_${unit}_SEC`))
  .flatMap((name) => [name, `${name}_MAX`, `${name}_MAX_LENGTH`]);
const VECTORS: Readonly<Record<string, readonly string[]>> = {
  DISK: [...DISK, 'SIZE_IOPS_SEC', 'OPENNEBULA_MANAGED', 'ORIGINAL_SIZE', 'SIZE_PREV'],
  NIC: ['MAC', 'VLAN_ID', 'BRIDGE', 'FILTER', 'FILTER_IP_SPOOFING', 'FILTER_MAC_SPOOFING', 'OPENNEBULA_MANAGED', 'EXTERNAL'],
  CONTEXT: ['FILES'],
  RAW: ['DATA'],
};
const SCALARS = ['DEPLOY_ID', 'CPU_COST', 'MEMORY_COST', 'DISK_COST', 'PCI', 'EMULATOR', 'USER_PRIORITY'];

/** `what` names the template in the text: `VM Template includes a restricted attribute X`. */
export function refuseRestricted(call: Call, attributes: Attributes, what: string): void {
  if (call.isAdmin) return;
  const name = restrictedName(attributes);
  if (name !== undefined) throw new Refusal(ERROR_CODE.AUTHORIZATION, `User [${call.caller.id}] : ${what} includes a restricted attribute ${name}.`);
}

function restrictedName(attributes: Attributes): string | undefined {
  const scalar = SCALARS.find((name) => name in attributes);
  if (scalar !== undefined) return scalar;
  for (const [vectorName, names] of Object.entries(VECTORS)) {
    for (const vector of vectorsOf(attributes, vectorName)) {
      const found = names.find((name) => name in vector);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}
