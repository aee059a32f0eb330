import { sayMissing } from '@onevault/base';
import { type BackupPolicy, type CompiledPolicy, compilePolicy, type Policy, parsePolicy, type SnapshotPolicy } from '@onevault/policies';
import type { z } from 'zod';
import type { ServerSettings } from '../ports/settings-store.ts';
import { errorFaults, type Fault, zodFaults } from './fault.ts';
import { detached, type Entry, entryKey, FILES, readYaml, type Section, sectionEntries } from './setting-entries.ts';
import { limitSchema, notificationSchema, repositoryOf, repositorySchema, rolesSchema } from './setting-schemas.ts';

/** The files of a settings directory by their path in it. */
export type SettingsFiles = ReadonlyMap<string, string>;

const POLICY_FILE = /^policies\/([^/]+)\.yaml$/;

export function policyFile(name: string): string {
  return `policies/${name}.yaml`;
}

const SECTION_OF_FILE = new Map<string, Section>(Object.entries(FILES).map(([section, file]) => [file, section as Section]));

/** What the files set, one by one. Faults are collected, so that all are told at once. */
export function entriesOf(files: SettingsFiles, faults: Fault[]): Entry[] {
  return [...files].flatMap(([path, text]) => {
    const section = SECTION_OF_FILE.get(path);
    const [, name] = POLICY_FILE.exec(path) ?? [];
    if (section !== undefined) {
      const document = readYaml(path, text, faults);
      return document === undefined ? [] : sectionEntries(section, path, document, document.contents, faults);
    }
    if (name !== undefined) return policyEntry(name, path, text, faults);
    faults.push({ path, message: `no such file is known here: ${[...SECTION_OF_FILE.keys(), 'policies/NAME.yaml'].join(', ')}` });
    return [];
  });
}

function policyEntry(name: string, path: string, text: string, faults: Fault[]): Entry[] {
  const document = readYaml(path, text, faults);
  if (document === undefined) return [];
  const value: unknown = document.toJS({ maxAliasCount: 100 });
  const said = typeof value === 'object' && value !== null && 'name' in value ? value.name : undefined;
  if (said !== name) faults.push({ path, message: `the policy calls itself '${String(said)}': file and policy have one name` });
  return [{ kind: 'policy', name, value, node: detached(document, document.contents) }];
}

/** Settings of entries, each judged by itself and then all together. */
export function settingsOf(entries: readonly Entry[], nowMs: number, faults: Fault[]): ServerSettings {
  refuseTwins(entries, faults);
  const of = (kind: Entry['kind']): Entry[] => entries.filter((entry) => entry.kind === kind).sort((a, b) => (a.name < b.name ? -1 : 1));
  const policies = of('policy').flatMap((entry) => readPolicy(entry, nowMs, faults));
  const repositories = of('repository').flatMap((entry) => {
    const nameless = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(entry.name)
      ? []
      : [{ path: entryKey(entry), message: 'lower-case letters, digits and dashes, at most 63' }];
    faults.push(...nameless);
    return read(repositorySchema, entry, faults).map((value) => repositoryOf(entry.name, value));
  });
  const notifications = of('notification').flatMap((entry) => read(notificationSchema, entry, faults));
  const caps = whole(limitSchema, FILES.limits, Object.fromEntries(of('limit').map(({ name, value }) => [name, value])), faults) ?? {};
  const standard = of('default-role')[0];
  const users = Object.fromEntries(of('role').map(({ name, value }) => [name, value]));
  const roles = whole(rolesSchema, FILES.roles, { users, ...(standard && { default: standard.value }) }, faults);
  const known = new Set(repositories.map(({ name }) => name));
  for (const { policy } of policies)
    if (policy.kind === 'backup' && !of('repository').some(({ name }) => name === policy.repository))
      faults.push({
        path: `${policyFile(policy.name)}: repository`,
        message: `there is no repository '${policy.repository}': ${[...known].join(', ') || 'none is set'}`,
      });
  return {
    policies,
    backupPolicies: policies.filter((compiled): compiled is CompiledPolicy<BackupPolicy> => compiled.policy.kind === 'backup'),
    snapshotPolicies: policies.filter((compiled): compiled is CompiledPolicy<SnapshotPolicy> => compiled.policy.kind === 'snapshot'),
    repositories,
    notifications,
    caps: Object.fromEntries(Object.entries(caps).filter(([, limit]) => limit !== undefined)),
    // Names are what users call themselves: one called `constructor` has no role by birth.
    roles: Object.assign(Object.create(null), roles?.users),
    defaultRole: roles?.default ?? 'none',
  };
}

function readPolicy(entry: Entry, nowMs: number, faults: Fault[]): CompiledPolicy<Policy>[] {
  try {
    return [compilePolicy(parsePolicy(entry.value, policyFile(entry.name)), nowMs)];
  } catch (error) {
    faults.push(...errorFaults(policyFile(entry.name), error));
    return [];
  }
}

function read<T>(schema: z.ZodType<T>, entry: Entry, faults: Fault[]): T[] {
  const value = whole(schema, entryKey(entry), entry.value, faults);
  return value === undefined ? [] : [value];
}

function whole<T>(schema: z.ZodType<T>, place: string, value: unknown, faults: Fault[]): T | undefined {
  const parsed = schema.safeParse(value, { error: sayMissing });
  if (parsed.success) return parsed.data;
  faults.push(...zodFaults(place, parsed.error));
  return undefined;
}

function refuseTwins(entries: readonly Entry[], faults: Fault[]): void {
  const seen = new Set<string>();
  for (const key of entries.map(entryKey)) {
    if (seen.has(key)) faults.push({ path: key, message: 'it is there twice' });
    seen.add(key);
  }
}
