import { isDeepStrictEqual } from 'node:util';
import { type CallOptions, type Clock, type Logger, Mutex } from '@onevault/base';
import type { CompiledPolicy, Policy } from '@onevault/policies';
import { notFound, ServerError } from '../errors.ts';
import type { RepositorySetting, ServerSettings, SettingsChange, SettingsStore } from '../ports/settings-store.ts';
import { type EntryChange, filesAfter } from './change-files.ts';
import { type Fault, refuseFaults } from './fault.ts';
import { lineDiff } from './line-diff.ts';
import { entriesOf, type SettingsFiles, settingsOf } from './read-settings.ts';
import { type Entry, type EntryKind, entryKey, SECTION_OF } from './setting-entries.ts';
import { repositorySchema } from './setting-schemas.ts';
import { entryText, formatSettings, readSettingsDocument, type SettingsDocument } from './settings-document.ts';
import { changeFiles, finishChange, readFiles } from './settings-files.ts';

export interface SettingsStoreDeps {
  /** `<state>/settings` */
  readonly directory: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface View {
  readonly files: SettingsFiles;
  readonly entries: readonly Entry[];
  readonly settings: ServerSettings;
}

/** Opens the settings of a state directory; none at all are settings too. Throws SERVER_SETTINGS_INVALID with every fault in every file, SERVER_STATE_UNUSABLE. */
export async function openSettings(deps: SettingsStoreDeps): Promise<SettingsStore> {
  await finishChange(deps.directory);
  return new FileSettings(deps, await look(deps));
}

async function look({ directory, clock }: SettingsStoreDeps): Promise<View> {
  const files = await readFiles(directory);
  return viewOf(files, clock, `${directory}`);
}

function viewOf(files: SettingsFiles, clock: Clock, what: string): View {
  const faults: Fault[] = [];
  const entries = entriesOf(files, faults);
  const settings = settingsOf(entries, clock.now().getTime(), faults);
  refuseFaults(what, faults);
  return { files, entries, settings };
}

class FileSettings implements SettingsStore {
  readonly #deps: SettingsStoreDeps;
  readonly #mutex = new Mutex();
  readonly #listeners = new Set<(settings: ServerSettings) => void>();
  #view: View;

  constructor(deps: SettingsStoreDeps, view: View) {
    this.#deps = deps;
    this.#view = view;
  }

  current(): ServerSettings {
    return this.#view.settings;
  }

  export(): string {
    return formatSettings(this.#view.entries);
  }

  diff(yaml: string): readonly SettingsChange[] {
    const changes = changesBy(this.#view.entries, readDocument(yaml));
    this.#check(this.#view, changes);
    return changes.map(describe);
  }

  async apply(yaml: string, options: CallOptions = {}): Promise<readonly SettingsChange[]> {
    const document = readDocument(yaml);
    return this.#change((entries) => changesBy(entries, document), options);
  }

  async putPolicy(document: Readonly<Record<string, unknown>>): Promise<CompiledPolicy<Policy>> {
    const name = String(document['name']);
    await this.#put({ kind: 'policy', name, value: document, node: undefined });
    const compiled = this.#view.settings.policies.find(({ policy }) => policy.name === name);
    if (compiled === undefined) throw notFound('policy');
    return compiled;
  }

  async removePolicy(name: string): Promise<void> {
    await this.#remove('policy', name);
  }

  async putRepository({ name, place, secretFile, maintenance }: RepositorySetting): Promise<void> {
    const { timezone, gc = 'none', verify = 'none', verifyMode } = maintenance;
    const value = { place, ...(secretFile !== undefined && { secretFile }), maintenance: { timezone, gc, verify, verifyMode } };
    await this.#put({ kind: 'repository', name, value, node: undefined });
  }

  async removeRepository(name: string): Promise<void> {
    const users = this.#view.settings.backupPolicies.filter(({ policy }) => policy.repository === name).map(({ policy }) => policy.name);
    if (users.length > 0)
      throw new ServerError({
        code: 'SERVER_SETTINGS_CONFLICT',
        message: `the repository ${name} cannot be removed: ${users.join(', ')} back up to it`,
        details: { repository: name, policies: users },
        hint: 'Give these policies another repository first, or remove them',
      });
    await this.#remove('repository', name);
  }

  async setRole(user: string, role: 'viewer' | 'operator' | 'admin'): Promise<void> {
    await this.#put({ kind: 'role', name: user, value: role, node: undefined });
  }

  onChange(listener: (settings: ServerSettings) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  async reload(): Promise<void> {
    await this.#mutex.run(async () => this.#show(await look(this.#deps)));
  }

  async #put(entry: Entry): Promise<void> {
    await this.#change((entries) => [{ before: entries.find((one) => entryKey(one) === entryKey(entry)), after: entry }]);
  }

  async #remove(kind: EntryKind, name: string): Promise<void> {
    await this.#change((entries) => {
      const before = entries.find((one) => one.kind === kind && one.name === name);
      if (before === undefined) throw notFound(kind);
      return [{ before, after: undefined }];
    });
  }

  /** What somebody edited by hand since we looked is what the change is made to. */
  async #change(decide: (entries: readonly Entry[]) => readonly EntryChange[], options: CallOptions = {}): Promise<readonly SettingsChange[]> {
    return this.#mutex.run(async () => {
      const view = await look(this.#deps);
      const changes = decide(view.entries);
      const after = this.#check(view, changes);
      options.signal?.throwIfAborted();
      await changeFiles(this.#deps.directory, after.change);
      this.#show(after.view);
      return changes.map(describe);
    }, options);
  }

  #check(view: View, changes: readonly EntryChange[]): { readonly change: ReadonlyMap<string, string | null>; readonly view: View } {
    const change = filesAfter(view.files, changes.filter(isChange));
    const files = new Map(view.files);
    for (const [path, text] of change) {
      if (text === null) files.delete(path);
      else files.set(path, text);
    }
    return { change, view: viewOf(files, this.#deps.clock, 'the settings') };
  }

  #show(view: View): void {
    const isNew = !isDeepStrictEqual([...view.files], [...this.#view.files]);
    this.#view = view;
    if (!isNew) return;
    for (const listener of this.#listeners) {
      try {
        listener(view.settings);
      } catch (error) {
        this.#deps.logger.error({ error: String(error) }, 'a listener to settings failed');
      }
    }
  }
}

function readDocument(yaml: string): SettingsDocument {
  const faults: Fault[] = [];
  const document = readSettingsDocument(yaml, faults);
  refuseFaults('the settings', faults);
  return document;
}

/** In the order of the text; then what goes. */
function changesBy(entries: readonly Entry[], document: SettingsDocument): EntryChange[] {
  const known = new Map(entries.map((entry) => [entryKey(entry), entry]));
  const named = new Set(document.entries.map(entryKey));
  const faults = document.entries.filter((entry, i) => document.entries.findIndex((one) => entryKey(one) === entryKey(entry)) !== i);
  refuseFaults(
    'the settings',
    faults.map((entry) => ({ path: entryKey(entry), message: 'it is there twice' })),
  );
  const going = document.removeUnlisted ? entries.filter((entry) => document.sections.has(SECTION_OF[entry.kind]) && !named.has(entryKey(entry))) : [];
  return [...document.entries.map((after) => ({ before: known.get(entryKey(after)), after })), ...going.map((before) => ({ before, after: undefined }))];
}

function isChange({ before, after }: EntryChange): boolean {
  return !isDeepStrictEqual(before?.value, after?.value);
}

function describe(change: EntryChange): SettingsChange {
  const { before, after } = change;
  const { kind, name } = after ?? before ?? { kind: '', name: '' };
  const action = !isChange(change) ? 'keep' : before === undefined ? 'create' : after === undefined ? 'remove' : 'change';
  const repository = kind === 'repository' && after !== undefined ? repositorySchema.safeParse(after.value).data : undefined;
  return {
    kind,
    name,
    action,
    diff: action === 'keep' ? '' : lineDiff(entryText(before), entryText(after)),
    ...(repository && { place: { place: repository.place, secretFile: repository.secretFile } }),
  };
}
