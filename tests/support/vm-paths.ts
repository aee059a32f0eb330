import type { Attribute, Attributes, Vm } from '@onevault/one-client';

const ID_OF: Readonly<Record<string, string>> = { DISK: 'DISK_ID', NIC: 'NIC_ID', NIC_ALIAS: 'NIC_ID', PCI: 'PCI_ID' };

/** Every attribute of a VM's body by its path, as `DefinitionChange.path` writes it. */
export function vmPaths(vm: Pick<Vm, 'template' | 'userTemplate' | 'backupConfig'>): ReadonlyMap<string, string> {
  return new Map([
    ...partPaths('', vm.template),
    ...partPaths('USER_TEMPLATE/', vm.userTemplate),
    ...partPaths('BACKUPS/', { BACKUP_CONFIG: vm.backupConfig }),
  ]);
}

function* partPaths(prefix: string, attributes: Attributes): Generator<readonly [string, string]> {
  for (const [name, attribute] of Object.entries(attributes)) {
    const entries: readonly Attribute[] = Array.isArray(attribute) ? attribute : [attribute];
    for (const [index, entry] of entries.entries()) yield* entryPaths(`${prefix}${name}`, labelOf(name, entry, index, entries.length), entry);
  }
}

function* entryPaths(path: string, label: string | undefined, entry: Attribute): Generator<readonly [string, string]> {
  const place = label === undefined ? path : `${path}/${label}`;
  if (typeof entry === 'string') yield [place, entry];
  else for (const [inner, value] of Object.entries(entry)) yield [`${place}/${inner}`, String(value)];
}

function labelOf(name: string, entry: Attribute, index: number, count: number): string | undefined {
  const idName = ID_OF[name];
  if (idName !== undefined && typeof entry === 'object') return String((entry as Attributes)[idName] ?? index);
  return name === 'NUMA_NODE' || count > 1 ? String(index) : undefined;
}
