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

interface Line {
  readonly rule: AttributeRule;
  readonly matches: RegExp;
}

/** Lines for attributes that are there, by the first name of their path: a body has a few hundred attributes, and the table as many lines. */
const LINES = new Map<string, Line[]>();
for (const rule of DEFINITION_TABLE) {
  const lines = LINES.get(headOf(rule.path)) ?? [];
  if (rule.absent !== true) lines.push({ rule, matches: matcher(rule.path) });
  LINES.set(headOf(rule.path), lines);
}

function headOf(path: string): string {
  return path.split('/', 1)[0] ?? path;
}

/** The line that decides; of several paths (`PCI/IP`, `NIC/IP`) those of the first are asked first. */
export function ruleFor(paths: readonly string[], subject: Subject): AttributeRule | undefined {
  for (const path of paths) {
    const found = LINES.get(headOf(path))?.find(({ rule, matches }) => matches.test(path) && (rule.applies?.(subject) ?? true));
    if (found !== undefined) return found.rule;
  }
  return undefined;
}
