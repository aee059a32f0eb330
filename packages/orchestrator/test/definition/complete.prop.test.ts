import type { Attribute, Attributes, Vm } from '@onevault/one-client';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DefinitionChange } from '../../src/definition/definition-change.ts';
import { type DefinitionFacts, NO_FACTS } from '../../src/definition/definition-facts.ts';
import { newDefinition } from '../../src/definition/new-definition.ts';
import { STOCK_RESTRICTED } from '../../src/definition/restricted.ts';
import { DEFINITION_TABLE } from '../../src/definition/rule-lookup.ts';
import { buildDisk, buildVm } from '../../testing/index.ts';

/** Names the table knows, within one vector, and some it does not. */
function namesIn(prefix: string): string[] {
  const known = DEFINITION_TABLE.map(({ path }) => path).filter((path) => path.startsWith(prefix) && !path.slice(prefix.length).includes('/'));
  return [...new Set(known.map((path) => path.slice(prefix.length).replaceAll('*', 'X').replaceAll('#', '0')))].concat('FUTURE', 'COLOUR');
}

const value = fc.oneof(
  fc.constantFrom('YES', 'NO', '0', '1', '7', 'auto', 'AUTO', '1048576', 'disk0,nic1', '0,7', 'NIC0', '10.0.0.5'),
  fc.string({ maxLength: 6 }),
);
const vector = (names: readonly string[], fixed: Readonly<Record<string, string>> = {}): fc.Arbitrary<Attributes> =>
  fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 8 }).map((some) => ({ ...some, ...fixed }));
const several = (name: string, idName: string, extra: readonly string[] = []): fc.Arbitrary<Attributes[]> =>
  fc
    .uniqueArray(fc.integer({ min: 0, max: 9 }), { maxLength: 3 })
    .chain((ids) => fc.tuple(...ids.sort((a, b) => a - b).map((id) => vector([...namesIn(`${name}/`), ...extra], { [idName]: String(id) }))));

const single = fc.dictionary(fc.constantFrom(...namesIn('').filter((name) => name !== 'NAME'), 'ROGUE'), value, { maxKeys: 6 });
const template = fc
  .record(
    {
      OS: vector(namesIn('OS/')),
      CONTEXT: vector([...namesIn('CONTEXT/'), 'ETH0_IP', 'USER_KEY']),
      GRAPHICS: vector(namesIn('GRAPHICS/')),
      TOPOLOGY: vector(namesIn('TOPOLOGY/').concat('PIN_POLICY')),
      NUMA_NODE: vector(
        namesIn('NUMA_NODE/').filter((name) => name !== 'MEMORY'),
        { MEMORY: '524288' },
      ),
      VMGROUP: vector(['VMGROUP_ID', 'ROLE']),
      NIC: several('NIC', 'NIC_ID'),
      NIC_ALIAS: several('NIC', 'NIC_ID', ['PARENT']),
      PCI: several('PCI', 'PCI_ID', ['TYPE', 'IP', 'NETWORK_ID']),
      SCHED_ACTION: vector(namesIn('SCHED_ACTION/')),
    },
    { requiredKeys: [] },
  )
  .chain((vectors) => single.map((singles): Attributes => ({ ...withoutVectors(singles), ...vectors })));
const DISKS = [0, 2, 5];
const disks = fc.tuple(...DISKS.map((id) => vector(namesIn('DISK/'), { DISK_ID: String(id) })));
const userTemplate = fc.dictionary(fc.constantFrom(...namesIn('USER_TEMPLATE/'), 'LABELS', 'NOTE'), value, { maxKeys: 6 });
const backupConfig = fc.dictionary(fc.constantFrom(...namesIn('BACKUPS/BACKUP_CONFIG/'), 'LAST_BACKUP_ID'), value, { maxKeys: 4 });

const VECTORS = new Set([
  'OS',
  'CONTEXT',
  'GRAPHICS',
  'TOPOLOGY',
  'NUMA_NODE',
  'VMGROUP',
  'NIC',
  'NIC_ALIAS',
  'PCI',
  'SCHED_ACTION',
  'SNAPSHOT',
  'SECURITY_GROUP_RULE',
]);
function withoutVectors(singles: Record<string, string>): Attributes {
  return Object.fromEntries(Object.entries(singles).filter(([name]) => !VECTORS.has(name)));
}

const facts: fc.Arbitrary<DefinitionFacts> = fc.record({
  originalLives: fc.boolean(),
  restricted: fc.constantFrom(new Set<string>(), STOCK_RESTRICTED),
  savedNetworks: fc.constantFrom(new Map(), new Map([['0', { DNS: '1', MTU: 'YES' }]])),
  goneSecurityGroups: fc.constantFrom(new Set<string>(), new Set(['7'])),
  goneVmGroups: fc.constantFrom(new Set<string>(), new Set(['0'])),
  contextFiles: fc.constant(NO_FACTS.contextFiles),
});

describe('the list of changes', () => {
  it('is complete: the saved definition with the changes made is the new one, attribute by attribute', () => {
    fc.assert(
      fc.property(
        fc.record({
          template,
          disks,
          userTemplate,
          backupConfig,
          facts,
          nics: fc.constantFrom('keep', 'new-addresses', 'none'),
          pci: fc.constantFrom('same-kind', 'same-address', 'none'),
          mapped: fc.boolean(),
          datastore: fc.boolean(),
        }),
        (world) => {
          const saved: Vm = buildVm({
            template: { ...world.template, DISK: world.disks },
            userTemplate: world.userTemplate,
            backupConfig: world.backupConfig,
            disks: DISKS.map((id) => buildDisk({ diskId: id as never, attributes: {} })),
          });
          const { template: made, changes } = newDefinition(saved, {
            name: 'new',
            disks: [
              { diskId: 0, imageId: 70 },
              { diskId: 5, volatile: { sizeMiB: 8, type: 'fs', format: 'raw' } },
            ],
            nics: world.nics,
            answers: { pci: world.pci },
            networks: new Map(world.mapped ? [['0', { id: 9, name: 'dr' }]] : []),
            systemDatastore: world.datastore ? 101 : undefined,
            marks: { ONEVAULT_RUN: 'r1' },
            savedVersion: '7.0.2',
            targetVersion: '7.4.0',
            facts: world.facts,
          });
          expect(new Set(changes.map(({ path }) => path)).size, 'each path once').toBe(changes.length);
          expect([...applied(savedPaths(saved), changes)].sort()).toEqual([...madePaths(made, saved, changes)].sort());
        },
      ),
      { numRuns: 150 },
    );
  });
});

type Paths = Map<string, string>;
const ID_OF: Readonly<Record<string, string>> = { DISK: 'DISK_ID', NIC: 'NIC_ID', NIC_ALIAS: 'NIC_ID', PCI: 'PCI_ID' };

function paths(prefix: string, attributes: Attributes, label: (name: string, entry: Attributes, at: number) => string | undefined): Paths {
  const found: Paths = new Map();
  for (const [name, attribute] of Object.entries(attributes)) {
    const entries: readonly Attribute[] = Array.isArray(attribute) ? attribute : [attribute];
    for (const [at, entry] of entries.entries()) {
      if (typeof entry === 'string') found.set(`${prefix}${name}`, entry);
      else
        for (const [inner, text] of Object.entries(entry))
          found.set([`${prefix}${name}`, label(name, entry as Attributes, at), inner].filter((part) => part !== undefined).join('/'), String(text));
    }
  }
  return found;
}

function savedPaths(vm: Vm): Paths {
  const label = (name: string, entry: Attributes, at: number): string | undefined => {
    const idName = ID_OF[name];
    return idName === undefined ? (name === 'NUMA_NODE' ? String(at) : undefined) : String(entry[idName]);
  };
  const own = paths('', vm.template, label);
  return new Map([
    ...own,
    ...paths('USER_TEMPLATE/', vm.userTemplate, label),
    ...paths('BACKUPS/', { BACKUP_CONFIG: vm.backupConfig }, label),
    ['NAME', vm.name],
  ]);
}

function applied(saved: Paths, changes: readonly DefinitionChange[]): Paths {
  const now: Paths = new Map(saved);
  for (const { path, action, before, after } of changes) {
    if (before !== undefined) expect(saved.get(path), path).toBe(before);
    if (after !== undefined) now.set(path, after);
    else if (action !== 'keep') remove(now, path);
  }
  return now;
}

function remove(now: Paths, path: string): void {
  for (const known of [...now.keys()]) if (known === path || known.startsWith(`${path}/`)) now.delete(known);
}

/** The new template by the paths of the saved one: what is left of a list is in its old order. */
function madePaths(made: Attributes, saved: Vm, changes: readonly DefinitionChange[]): Paths {
  const gone = new Set(changes.map(({ path }) => path));
  const left = (name: string): string[] => {
    const entries = (Array.isArray(saved.template[name]) ? saved.template[name] : [saved.template[name]]) as Attributes[];
    const ids = entries.filter((entry) => entry !== undefined).map((entry, at) => String(ID_OF[name] === undefined ? at : entry[ID_OF[name]]));
    // A vector of which nothing is left is no more there than one that was left out.
    return ids.filter((id) => !gone.has(`${name}/${id}`) && [...applied(savedPaths(saved), changes).keys()].some((path) => path.startsWith(`${name}/${id}/`)));
  };
  const found: Paths = new Map();
  for (const [path, text] of paths('', made, (name, _, at) => (ID_OF[name] !== undefined || name === 'NUMA_NODE' ? left(name)[at] : undefined))) {
    const [name = ''] = path.split('/');
    const isUser = name !== 'NAME' && saved.template[name] === undefined && !['OS', 'BACKUP_CONFIG'].includes(name);
    found.set(name === 'BACKUP_CONFIG' ? `BACKUPS/${path}` : isUser ? `USER_TEMPLATE/${path}` : path, text);
  }
  return found;
}
