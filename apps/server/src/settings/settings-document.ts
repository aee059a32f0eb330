import { Document, isMap, isScalar, type Node, parseAllDocuments, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import type { Fault } from './fault.ts';
import { ENTRY_KINDS, type Entry, entryKey, SECTION_OF, SECTIONS, type Section, sectionEntries } from './setting-entries.ts';

/** What `apply` was given. */
export interface SettingsDocument {
  readonly entries: readonly Entry[];
  /** Those that it has, whatever is in them. */
  readonly sections: ReadonlySet<Section>;
  /** What these sections do not name goes. */
  readonly removeUnlisted: boolean;
}

/**
 * Reads a text of one or several YAML documents, each either settings (`policies:`, `repositories:`, …, as `export` writes them) or a single policy as it stands in
 * its file (`kind: backup`).
 */
export function readSettingsDocument(text: string, faults: Fault[]): SettingsDocument {
  const entries: Entry[] = [];
  const sections = new Set<Section>();
  let removeUnlisted = false;
  const documents = parseAllDocuments(text, { prettyErrors: true });
  for (const [index, document] of (Array.isArray(documents) ? documents : []).entries()) {
    const place = documents.length > 1 ? `document ${index + 1}` : 'the document';
    for (const { message } of document.errors) faults.push({ path: place, message });
    if (document.errors.length > 0) continue;
    const read = readOne(place, document as Document, faults);
    entries.push(...read.entries);
    for (const section of read.sections) sections.add(section);
    removeUnlisted ||= read.removeUnlisted;
  }
  if (entries.length === 0 && sections.size === 0 && faults.length === 0) faults.push({ path: 'the document', message: 'it says nothing' });
  return { entries, sections, removeUnlisted };
}

function readOne(place: string, document: Document, faults: Fault[]): SettingsDocument {
  const none = { entries: [], sections: new Set<Section>(), removeUnlisted: false };
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null)) return none;
  if (!isMap(contents)) {
    faults.push({ path: place, message: `names and values are wanted: ${SECTIONS.join(', ')}, or one policy that begins with 'kind: backup'` });
    return none;
  }
  try {
    if (contents.has('kind')) {
      const single = new YAMLSeq();
      single.items.push(contents);
      return { ...none, entries: sectionEntries('policies', place, document, single, faults) };
    }
    return readSections(place, document, contents, faults);
  } catch (error) {
    faults.push({ path: place, message: error instanceof Error ? error.message : String(error) }); // aliases without end
    return none;
  }
}

function readSections(place: string, document: Document, contents: YAMLMap, faults: Fault[]): SettingsDocument {
  const entries: Entry[] = [];
  const sections = new Set<Section>();
  let removeUnlisted = false;
  for (const { key, value } of contents.items) {
    const name = String(isScalar(key) ? key.value : key);
    const section = SECTIONS.find((known) => known === name);
    if (section !== undefined) {
      sections.add(section);
      entries.push(...sectionEntries(section, section, document, value, faults));
    } else if (name === 'removeUnlisted' && isScalar(value) && typeof value.value === 'boolean') removeUnlisted = value.value;
    else faults.push({ path: `${place}: ${name}`, message: `it is none of ${SECTIONS.join(', ')}, removeUnlisted` });
  }
  return { entries, sections, removeUnlisted };
}

/** Everything in one text, sorted by name; what people wrote beside it in their files comes along. */
export function formatSettings(entries: readonly Entry[]): string {
  const document = new Document(new YAMLMap());
  const root = document.contents as unknown as YAMLMap;
  for (const section of SECTIONS) {
    const of = ENTRY_KINDS.flatMap((kind) => entries.filter((entry) => entry.kind === kind && SECTION_OF[kind] === section)).sort(byKindAndName);
    root.set(section, sectionNode(document, section, of));
  }
  return document.toString({ lineWidth: 0 });
}

/** One section as it stands in its file, or in the text of everything. */
function sectionNode(document: Document, section: Section, entries: readonly Entry[]): Node {
  if (section === 'policies' || section === 'notifications') {
    const list = new YAMLSeq();
    for (const entry of entries) list.items.push(nodeOf(document, entry));
    if (entries.length === 0) list.flow = true;
    return list;
  }
  const map = new YAMLMap();
  const users = new YAMLMap();
  for (const entry of entries) {
    if (entry.kind === 'role') users.set(new Scalar(entry.name), nodeOf(document, entry));
    else map.set(new Scalar(entry.name), nodeOf(document, entry));
  }
  if (users.items.length > 0) map.set(new Scalar('users'), users);
  if (map.items.length === 0) map.flow = true;
  return map;
}

export function nodeOf(document: Document, entry: Entry): Node {
  return entry.node === undefined ? (document.createNode(entry.value) as Node) : (entry.node.clone() as Node);
}

/** One entry as YAML: what a person compares. */
export function entryText(entry: Entry | undefined): string {
  if (entry === undefined) return '';
  return new Document(entry.value).toString({ lineWidth: 0 });
}

function byKindAndName(a: Entry, b: Entry): number {
  if (a.kind !== b.kind) return ENTRY_KINDS.indexOf(b.kind) - ENTRY_KINDS.indexOf(a.kind); // default-role stands before roles
  return entryKey(a) < entryKey(b) ? -1 : 1;
}
