import { Document, isMap, isSeq, parseDocument, YAMLMap, YAMLSeq } from 'yaml';
import { policyFile, type SettingsFiles } from './read-settings.ts';
import { type Entry, entryKey, FILES, SECTION_OF } from './setting-entries.ts';
import { nodeOf } from './settings-document.ts';
import type { FileChange } from './settings-files.ts';

/** What a change makes of one entry; `after` undefined: it goes. */
export interface EntryChange {
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
}

/** The files that a change touches, rewritten; comments beside everything else in them stay. */
export function filesAfter(files: SettingsFiles, changes: readonly EntryChange[]): FileChange {
  const changed = new Map<string, string | null>();
  for (const change of changes) {
    const entry = change.after ?? change.before;
    if (entry === undefined) continue;
    if (entry.kind === 'policy') {
      changed.set(policyFile(entry.name), change.after === undefined ? null : policyText(change.after));
      continue;
    }
    const section = SECTION_OF[entry.kind];
    if (section === 'policies') continue;
    const path = FILES[section];
    changed.set(path, editShared(changed.get(path) ?? files.get(path) ?? '', entry, change.after));
  }
  return changed;
}

function policyText(entry: Entry): string {
  const document = new Document();
  document.contents = nodeOf(document, entry) as unknown as typeof document.contents;
  return document.toString({ lineWidth: 0 });
}

function editShared(text: string, entry: Entry, after: Entry | undefined): string {
  const document = parseDocument(text);
  if (entry.kind === 'notification') editList(document, entry, after);
  else {
    if (!isMap(document.contents)) document.contents = new YAMLMap() as unknown as typeof document.contents;
    const path = entry.kind === 'role' ? ['users', entry.name] : [entry.name];
    if (entry.kind === 'role' && !isMap(document.get('users'))) document.set('users', new YAMLMap());
    if (after === undefined) document.deleteIn(path);
    else document.setIn(path, nodeOf(document, after));
  }
  return document.toString({ lineWidth: 0 });
}

function editList(document: Document, entry: Entry, after: Entry | undefined): void {
  if (!isSeq(document.contents)) document.contents = new YAMLSeq() as unknown as typeof document.contents;
  const list = document.contents as unknown as YAMLSeq;
  const at = list.items.findIndex((item) => isMap(item) && entryKey({ kind: 'notification', name: String(item.get('name')) }) === entryKey(entry));
  if (after === undefined) list.items.splice(at, at < 0 ? 0 : 1);
  else if (at < 0) list.items.push(nodeOf(document, after));
  else list.items[at] = nodeOf(document, after);
  list.flow = list.items.length === 0;
}
