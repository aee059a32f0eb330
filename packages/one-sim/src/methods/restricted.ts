import { type Attributes, textOf, type Vector, vectorsOf } from '../template/attributes.ts';
import { ERROR_CODE, internal, Refusal } from '../wire/refusal.ts';
import type { Call } from './call.ts';

/** VM_RESTRICTED_ATTR of a stock oned.conf: for the oneadmin group only. */
const DISK = ['TOTAL', 'READ', 'WRITE']
  .flatMap((kind) => ['BYTES', 'IOPS'].map((unit) => `${kind}_${unit}_SEC`))
  .flatMap((name) => [name, `${name}_MAX`, `${name}_MAX_LENGTH`]);
const BANDWIDTH = ['INBOUND_AVG_BW', 'INBOUND_PEAK_BW', 'INBOUND_PEAK_KB', 'OUTBOUND_AVG_BW', 'OUTBOUND_PEAK_BW', 'OUTBOUND_PEAK_KB'];
const NIC = ['MAC', 'VLAN_ID', 'BRIDGE', 'FILTER', 'FILTER_IP_SPOOFING', 'FILTER_MAC_SPOOFING', ...BANDWIDTH, 'OPENNEBULA_MANAGED', 'EXTERNAL'];

function vectorNames(call: Call): Readonly<Record<string, readonly string[]>> {
  return {
    CONTEXT: ['FILES'],
    DISK: [...DISK, 'SIZE_IOPS_SEC', 'OPENNEBULA_MANAGED', 'ORIGINAL_SIZE', 'SIZE_PREV'],
    NIC: call.cloud.world.atLeast(7, 0) ? [...NIC, 'VLAN_TAGGED_ID'] : NIC,
    NIC_ALIAS: ['MAC', 'VLAN_ID', 'BRIDGE', ...BANDWIDTH, 'OPENNEBULA_MANAGED'],
    NIC_DEFAULT: ['MAC', 'VLAN_ID', 'BRIDGE', 'FILTER', 'EXTERNAL'],
    RAW: ['DATA'],
    TOPOLOGY: ['PIN_POLICY', 'HUGEPAGE_SIZE'],
    USER_INPUTS: ['CPU', 'MEMORY', 'VCPU'],
  };
}
const SCALARS = ['CPU_COST', 'DEPLOY_ID', 'DISK_COST', 'EMULATOR', 'MEMORY_COST', 'PCI', 'USER_PRIORITY'];

/** Template::check_restricted without a base. `what` begins the text: `VM Template includes a restricted attribute MAC`. */
export function refuseRestricted(call: Call, attributes: Attributes, what: string): void {
  if (call.isAdmin) return;
  const name = restrictedName(call, attributes);
  if (name !== undefined) throw restricted(call, what, name);
}

function restricted(call: Call, what: string, name: string): Refusal {
  return new Refusal(ERROR_CODE.AUTHORIZATION, `User [${call.caller.id}] : ${what} includes a restricted attribute ${name}.`);
}

function restrictedName(call: Call, attributes: Attributes): string | undefined {
  for (const [vectorName, names] of Object.entries(vectorNames(call))) {
    for (const vector of vectorsOf(attributes, vectorName)) {
      const found = names.find((name) => name in vector);
      if (found !== undefined) return found;
    }
  }
  return SCALARS.find((name) => name in attributes);
}

/** Template::check_restricted against a base: what the base has already may stay; the text names the attribute, not its part. */
export function refuseRestrictedChange(call: Call, attributes: Attributes, base: Attributes): void {
  if (call.isAdmin) return;
  const name = changedName(call, attributes, base, true);
  if (name !== undefined) throw restricted(call, 'User Template', name);
}

/** One that an update would set or change, as one.vm.update and one.template.update refuse it: code 8192 (RequestManagerUpdateTemplate). */
export function refuseRestrictedUpdate(call: Call, attributes: Attributes, base: Attributes, append: boolean): void {
  if (call.isAdmin) return;
  const name = changedName(call, attributes, base, append);
  if (name === undefined) return;
  const text = append ? `User Template includes a restricted attribute ${name}` : `Tried to change restricted attribute: ${name}`;
  throw internal(`Cannot update template. ${text}`);
}

function changedName(call: Call, attributes: Attributes, base: Attributes, append: boolean): string | undefined {
  for (const [vectorName, names] of Object.entries(vectorNames(call))) {
    const [now, before] = [valuesOf(vectorsOf(attributes, vectorName), names), valuesOf(vectorsOf(base, vectorName), names)];
    const concerned = now.length > 0 || (!append && before.length > 0);
    if (concerned && now.join('\n') !== before.join('\n')) return vectorName;
  }
  return SCALARS.find((name) => name in attributes && textOf(attributes, name) !== textOf(base, name));
}

function valuesOf(vectors: readonly Vector[], names: readonly string[]): string[] {
  return vectors.flatMap((vector) => names.filter((name) => name in vector).map((name) => `${name}=${vector[name]}`));
}

/** IMAGE_RESTRICTED_ATTR = "SOURCE". */
export function refuseRestrictedImage(call: Call, attributes: Attributes): void {
  if (!call.isAdmin && 'SOURCE' in attributes) throw restricted(call, 'Template', 'SOURCE');
}
