import { type Document, isMap, isScalar, isSeq, type Node, parseDocument, visit } from 'yaml';
import type { Fault } from './fault.ts';

export const ENTRY_KINDS = ['policy', 'repository', 'notification', 'limit', 'role', 'default-role'] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

/** One thing that is set: what `diff` speaks of and `apply` makes, changes or removes. */
export interface Entry {
  readonly kind: EntryKind;
  readonly name: string;
  /** As it was written, before any default. */
  readonly value: unknown;
  /** The same with its comments. */
  readonly node: Node | undefined;
}

/** Where each kind stands: in `settings/`, and in the one text of export and apply. */
export const FILES = { repositories: 'repositories.yaml', notifications: 'notifications.yaml', limits: 'limits.yaml', roles: 'roles.yaml' } as const;
export type Section = 'policies' | keyof typeof FILES;
export const SECTIONS: readonly Section[] = ['policies', 'repositories', 'notifications', 'limits', 'roles'];
export const SECTION_OF: Readonly<Record<EntryKind, Section>> = {
  policy: 'policies',
  repository: 'repositories',
  notification: 'notifications',
  limit: 'limits',
  role: 'roles',
  'default-role': 'roles',
};

export function entryKey({ kind, name }: Pick<Entry, 'kind' | 'name'>): string {
  return `${kind}/${name}`;
}

/** Reads YAML 1.2; answers undefined, and says why, for what is none. */
export function readYaml(place: string, text: string, faults: Fault[]): Document | undefined {
  const document = parseDocument(text, { prettyErrors: true });
  for (const { message } of document.errors) faults.push({ path: place, message });
  if (document.errors.length > 0) return undefined;
  try {
    document.toJS({ maxAliasCount: 100 });
    return document;
  } catch (error) {
    faults.push({ path: place, message: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}

/** A node that may be put into another document: what it borrows of its own is written out. */
export function detached(document: Document, node: Node | null): Node | undefined {
  if (node === null) return undefined;
  let borrows = false;
  visit(node, {
    Alias: () => {
      borrows = true;
      return visit.BREAK;
    },
  });
  return borrows ? (document.createNode(node.toJS(document)) as Node) : (node.clone() as Node);
}

/** The entries of one section. What is no map or list where one must be is said and left out. */
export function sectionEntries(section: Section, place: string, document: Document, node: unknown, faults: Fault[]): Entry[] {
  if (node === null || node === undefined || (isScalar(node) && node.value === null)) return [];
  const plain = (one: Node): unknown => one.toJS(document, { maxAliasCount: 100 });
  if (section === 'policies' || section === 'notifications') {
    if (!isSeq(node)) return wrong(faults, place, 'a list is wanted here');
    return node.items.flatMap((item, index) => listed(section, `${place}.${index}`, document, item as Node, faults));
  }
  if (!isMap(node)) return wrong(faults, place, 'names and values are wanted here');
  const pairs = node.items.map(({ key, value }) => ({ name: String(isScalar(key) ? key.value : key), value: value as Node | null }));
  if (section === 'roles') return roleEntries(place, document, pairs, faults);
  const kind = section === 'repositories' ? 'repository' : 'limit';
  return pairs.map(({ name, value }) => ({ kind, name, value: value === null ? null : plain(value), node: detached(document, value) }));
}

function listed(section: 'policies' | 'notifications', place: string, document: Document, item: Node, faults: Fault[]): Entry[] {
  const value: unknown = item.toJS(document, { maxAliasCount: 100 });
  const name = typeof value === 'object' && value !== null && 'name' in value ? value.name : undefined;
  if (typeof name !== 'string') return wrong(faults, place, 'it has no name');
  return [{ kind: section === 'policies' ? 'policy' : 'notification', name, value, node: detached(document, item) }];
}

function roleEntries(place: string, document: Document, pairs: readonly { readonly name: string; readonly value: Node | null }[], faults: Fault[]): Entry[] {
  return pairs.flatMap(({ name, value }): Entry[] => {
    if (name === 'default') return [{ kind: 'default-role', name: 'default', value: value?.toJS(document), node: detached(document, value) }];
    if (name !== 'users') return wrong(faults, `${place}: ${name}`, 'only default and users are known here');
    if (value === null || (isScalar(value) && value.value === null)) return [];
    if (!isMap(value)) return wrong(faults, `${place}: users`, 'users and their roles are wanted here');
    return value.items.map(({ key, value: role }) => ({
      kind: 'role',
      name: String(isScalar(key) ? key.value : key),
      value: isScalar(role) ? role.value : role,
      node: role as Node,
    }));
  });
}

function wrong(faults: Fault[], path: string, message: string): [] {
  faults.push({ path, message });
  return [];
}
