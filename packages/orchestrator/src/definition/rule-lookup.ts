import type { AttributeRule, Subject } from './attribute-rule.ts';
import { DISK_RULES } from './table-disk.ts';
import { GENERAL_RULES } from './table-general.ts';
import { MACHINE_RULES } from './table-machine.ts';
import { NIC_RULES } from './table-network.ts';

/** The whole table, in the order in which it is read. */
export const DEFINITION_TABLE: readonly AttributeRule[] = [...GENERAL_RULES, ...MACHINE_RULES, ...DISK_RULES, ...NIC_RULES];

/** An attribute that no line of the table is about. */
export const UNKNOWN: Omit<AttributeRule, 'path'> = {
  action: 'keep',
  code: 'UNKNOWN',
  why: 'onevault does not know this attribute and keeps it as it is',
  source: '',
};

export const RESTRICTED: Omit<AttributeRule, 'path'> = {
  action: 'strip',
  code: 'RESTRICTED',
  why: 'OpenNebula takes it from cloud administrators only (VM_RESTRICTED_ATTR); an administrator can set it afterwards',
  source: 'share/etc/oned.conf, VM_RESTRICTED_ATTR',
};

/** `*` stands for anything within a name, `#` for a number. */
function matcher(path: string): RegExp {
  const pattern = path
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('#', '\\d+');
  return new RegExp(`^${pattern}$`);
}

const MATCHERS: ReadonlyMap<AttributeRule, RegExp> = new Map(DEFINITION_TABLE.map((rule) => [rule, matcher(rule.path)]));

/** The line that decides; of several paths (`PCI/IP`, `NIC/IP`) those of the first are asked first. */
export function ruleFor(paths: readonly string[], subject: Subject): AttributeRule | undefined {
  for (const path of paths) {
    const found = DEFINITION_TABLE.find((rule) => rule.absent !== true && MATCHERS.get(rule)?.test(path) === true && (rule.applies?.(subject) ?? true));
    if (found !== undefined) return found;
  }
  return undefined;
}
