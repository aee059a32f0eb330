import { PolicyError } from '../errors.ts';
import { fitsGlob } from './glob.ts';

/** What a policy may choose a VM by: as OpenNebula says it now, or as it was when the VM was last seen. */
export interface VmFacts {
  readonly id: number;
  readonly name: string;
  readonly owner: string;
  readonly group: string;
  readonly labels: readonly string[];
  /** Words of opennebula.md c.1 and c.2: RUNNING, POWEROFF, … */
  readonly state: string;
  /** Undefined while it is on no host. */
  readonly host?: string;
  readonly cluster?: string;
  /** Names of the datastores of its disks. */
  readonly datastores: readonly string[];
  /** Of its USER_TEMPLATE, names in capitals; vectors are left out. */
  readonly attributes: Readonly<Record<string, string>>;
  /** What it does for backups itself, such as `proxy VM of onevault`: no policy is for it. */
  readonly servesAs?: string;
}

const KEYS = ['id', 'name', 'owner', 'group', 'label', 'state', 'host', 'cluster', 'datastore'] as const;
type Key = (typeof KEYS)[number] | `attribute.${string}`;

interface Term {
  readonly key: Key;
  readonly negated: boolean;
  /** Any of them. */
  readonly patterns: readonly string[];
}

/** All of its terms must hold. */
export interface Selector {
  readonly text: string;
  readonly terms: readonly Term[];
}

/**
 * Reads `label=prod`, `name=web-*|db-*`, `group!=test and state=RUNNING`, `attribute.BACKUP=gold`, `id=12..20`: terms joined by `and`, each a key, `=` or `!=`, and
 * patterns joined by `|` of which one must fit. `*` alone means every VM; `key=*` one that has it at all. Throws POLICY_SELECTOR_INVALID.
 */
export function parseSelector(text: string): Selector {
  if (text.trim() === '*') return { text, terms: [] };
  return { text, terms: splitTerms(text).map((term) => parseTerm(text, term)) };
}

/** `and` between terms; quotes keep it (and anything else) in a pattern. */
function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let current = '';
  for (const [word] of text.matchAll(/(?:"[^"]*"|[^\s"])+|"/g)) {
    if (/^and$/i.test(word)) {
      terms.push(current);
      current = '';
    } else current += current === '' ? word : ` ${word}`;
  }
  return [...terms, current];
}

function parseTerm(text: string, term: string): Term {
  const [, key = '', not, value = ''] = /^([A-Za-z]+(?:\.[A-Za-z0-9_]+)?)\s*(!?)=\s*(.+)$/s.exec(term) ?? [];
  const known = keyOf(key);
  if (known === undefined) throw invalid(text, term === '' ? 'a term is missing' : `'${term}' is not a term`);
  if (value.split('"').length % 2 === 0) throw invalid(text, `a quote is left open in '${value}'`);
  // Sticky: what does not fit ends it, and is not tried again from every place behind.
  const found = [...value.matchAll(/(?:"([^"]*)"|([^|"]+))(?:\||$)/gy)];
  const patterns = found.map(([, quoted, plain]) => quoted ?? (plain ?? '').trim());
  const isWhole = found.reduce((length, [match]) => length + match.length, 0) === value.length && found.at(-1)?.[0].endsWith('|') === false;
  if (!isWhole || patterns.some((pattern) => pattern === '')) throw invalid(text, `'${value}' is not a list of patterns`);
  return { key: known, negated: not === '!', patterns };
}

function keyOf(text: string): Key | undefined {
  const [, name] = /^attribute\.(.+)$/i.exec(text) ?? [];
  if (name !== undefined) return `attribute.${name.toUpperCase()}`;
  return KEYS.find((key) => key === text.toLowerCase());
}

function invalid(text: string, why: string): PolicyError {
  return new PolicyError({
    code: 'POLICY_SELECTOR_INVALID',
    message: `the selector '${text}' is not valid: ${why}`,
    details: { selector: text },
    hint: `terms joined by and, such as 'label=prod and name=web-*|db-*'; keys: ${KEYS.join(', ')}, attribute.NAME; != for not`,
  });
}

export function fits(selector: Selector, vm: VmFacts): boolean {
  return selector.terms.every(
    (term) => valuesOf(term.key, vm).some((value) => term.patterns.some((pattern) => fitsValue(term.key, pattern, value))) !== term.negated,
  );
}

function fitsValue(key: Key, pattern: string, value: string): boolean {
  const [, from, to] = (key === 'id' && /^(\d+)\.\.(\d+)$/.exec(pattern)) || [];
  if (from !== undefined && to !== undefined) return Number(from) <= Number(value) && Number(value) <= Number(to);
  return fitsGlob(pattern, value);
}

function valuesOf(key: Key, vm: VmFacts): readonly string[] {
  switch (key) {
    case 'id':
      return [String(vm.id)];
    case 'name':
    case 'owner':
    case 'group':
    case 'state':
      return [vm[key]];
    case 'label':
      return vm.labels;
    case 'host':
    case 'cluster':
      return vm[key] === undefined ? [] : [vm[key]];
    case 'datastore':
      return vm.datastores;
    default: {
      const value = vm.attributes[key.slice('attribute.'.length)];
      return value === undefined ? [] : [value];
    }
  }
}
