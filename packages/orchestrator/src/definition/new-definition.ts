import type { Attribute, Attributes, Vm } from '@onevault/one-client';
import { text, vectors } from '../attributes.ts';
import { type Answers, type AttributeRule, DEFAULT_ANSWERS, type Renewal, type Subject } from './attribute-rule.ts';
import { Changes, type DefinitionChange } from './definition-change.ts';
import { NO_FACTS } from './definition-facts.ts';
import type { DefinitionRequest, NewDisk } from './definition-request.ts';
import { networkKey } from './network-map.ts';
import { renumberCards } from './renumber.ts';
import { DEFINITION_TABLE, RESTRICTED, ruleFor, UNKNOWN } from './rule-lookup.ts';

/** The template of a new VM, and everything in which it differs from the VM that was saved. */
export interface Definition {
  readonly template: Attributes;
  /** Complete: what stands in neither list nor template was not there. */
  readonly changes: readonly DefinitionChange[];
}

/**
 * The definition of the new VM, made of the saved one attribute by attribute after the table (`DEFINITION_TABLE`). Pure. Single attributes and vectors of
 * TEMPLATE, USER_TEMPLATE and BACKUPS/BACKUP_CONFIG come together in one template, as OpenNebula takes them.
 */
export function newDefinition(saved: Vm, request: DefinitionRequest): Definition {
  const answers: Answers = { ...DEFAULT_ANSWERS, ...request.answers };
  const disks = disksInOrder(saved, request.disks);
  const cards = renumberCards(saved.template, { nics: request.nics !== 'none', pci: keepsPci(request, answers) });
  const plan: Renewal = {
    saved,
    facts: request.facts ?? NO_FACTS,
    nics: request.nics,
    answers,
    systemDatastore: request.systemDatastore,
    savedVersion: request.savedVersion,
    targetVersion: request.targetVersion,
    diskIds: new Map(disks.map(({ diskId }, id) => [String(diskId), id])),
    nicIds: cards.ids,
    nicNames: cards.names,
  };
  const writer = new Writer(plan, request, disks);
  writer.part('', { ...saved.template, ...savedDisks(saved) });
  writer.part('USER_TEMPLATE/', saved.userTemplate);
  if (Object.keys(saved.backupConfig).length > 0) writer.part('BACKUPS/', { BACKUP_CONFIG: saved.backupConfig });
  writer.additions(saved);
  return { template: writer.template, changes: writer.changes.list };
}

/** As the saved VM had them: the first disk is the one it boots from. */
function disksInOrder(saved: Vm, wanted: readonly NewDisk[]): NewDisk[] {
  return saved.disks.map(({ diskId }) => wanted.find((disk) => disk.diskId === diskId)).filter((disk) => disk !== undefined);
}

/** Bodies have them in both places; what was built by hand may have them in one. */
function savedDisks(saved: Vm): Attributes {
  if (saved.template['DISK'] !== undefined || saved.disks.length === 0) return {};
  return { DISK: saved.disks.map(({ diskId, attributes }) => ({ DISK_ID: String(diskId), ...attributes })) };
}

function keepsPci({ facts }: DefinitionRequest, answers: Answers): boolean {
  return answers.pci !== 'none' && facts?.restricted.has('PCI') !== true;
}

/** Vectors whose members are told apart by an id of their own. */
const ID_OF: Readonly<Record<string, string>> = { DISK: 'DISK_ID', NIC: 'NIC_ID', NIC_ALIAS: 'NIC_ID', PCI: 'PCI_ID' };
const isList = (attribute: Attribute): attribute is readonly Attribute[] => Array.isArray(attribute);

class Writer {
  readonly #template: Record<string, Attribute> = {};
  readonly changes = new Changes();
  readonly plan: Renewal;
  readonly request: DefinitionRequest;
  readonly disks: readonly NewDisk[];

  constructor(plan: Renewal, request: DefinitionRequest, disks: readonly NewDisk[]) {
    this.plan = plan;
    this.request = request;
    this.disks = disks;
  }

  get template(): Attributes {
    return this.#template;
  }

  /** Takes over one part of the saved body. `prefix` is the part's name in paths. */
  part(prefix: string, attributes: Attributes): void {
    for (const [name, attribute] of Object.entries(attributes)) {
      if (isShadowed(prefix, name, this.plan)) {
        this.changes.add(`${prefix}${name}`, SHADOWED, undefined, undefined);
        continue;
      }
      const entries = isList(attribute) ? attribute : [attribute];
      const written = entries.flatMap((entry, index) => this.#entry(prefix, name, entry, isList(attribute) ? index : undefined, attributes) ?? []);
      const [only] = written;
      if (only !== undefined) this.#template[name] = written.length === 1 && !isList(attribute) ? only : written;
    }
  }

  #entry(prefix: string, name: string, entry: Attribute, index: number | undefined, all: Attributes): Attribute | undefined {
    if (typeof entry === 'string') return this.#single(prefix, name, index === undefined ? name : `${name}/${index}`, entry, all);
    const [vector] = vectors(entry);
    if (vector === undefined) return undefined;
    const id = ID_OF[name] === undefined ? undefined : text(vector[ID_OF[name]]);
    const label = id ?? (ID_OF[name] !== undefined || name === 'NUMA_NODE' || index !== undefined ? String(index ?? 0) : undefined);
    return this.#vector(prefix, name, label === undefined ? `${prefix}${name}` : `${prefix}${name}/${label}`, vector);
  }

  #single(prefix: string, name: string, label: string, value: string, all: Attributes): string | undefined {
    if (prefix === '' && name === 'NAME') return undefined;
    const subject = { name, value, vector: all, disk: undefined, moved: undefined, plan: this.plan };
    return this.#decide(`${prefix}${label}`, [`${prefix}${name}`], name, subject);
  }

  #vector(prefix: string, name: string, path: string, vector: Attributes): Attributes | undefined {
    const disk = name === 'DISK' ? this.disks.find(({ diskId }) => String(diskId) === text(vector['DISK_ID'])) : undefined;
    const isCard = name === 'NIC' || name === 'NIC_ALIAS' || (name === 'PCI' && vector['TYPE'] === 'NIC');
    const moved = isCard ? this.request.networks?.get(networkKey(vector) ?? '') : undefined;
    const whole: Subject = { name: '', value: '', vector, disk, moved, plan: this.plan };
    const rule = this.#leftOut(name, whole) ?? wholeRule(`${prefix}${name}`, whole);
    if (rule !== undefined) {
      this.changes.add(path, rule, undefined, undefined);
      return undefined;
    }
    const kinds = [name, ...(isCard && name !== 'NIC' ? ['NIC'] : [])];
    const kept = Object.entries(vector).flatMap(([inner, attribute]) => {
      const value = text(attribute);
      if (value === undefined) {
        this.changes.add(`${path}/${inner}`, NESTED, undefined, undefined);
        return [];
      }
      const subject = { ...whole, name: inner, value };
      const now = this.#decide(
        `${path}/${inner}`,
        kinds.map((kind) => `${prefix}${kind}/${inner}`),
        `${name}/${inner}`,
        subject,
      );
      return now === undefined ? [] : [[inner, now] as const];
    });
    const now = [...kept, ...this.#absent(prefix, name, path, vector, whole)];
    return now.length === 0 ? undefined : Object.fromEntries(now);
  }

  /** Lines of the table for attributes that are not there. */
  #absent(prefix: string, name: string, path: string, vector: Attributes, whole: Subject): (readonly [string, string])[] {
    return DEFINITION_TABLE.flatMap((rule) => {
      const inner = rule.absent === true && rule.path.startsWith(`${prefix}${name}/`) ? rule.path.slice(`${prefix}${name}/`.length) : undefined;
      if (inner === undefined || vector[inner] !== undefined) return [];
      const value = rule.applies?.(whole) === false ? undefined : rule.value?.(whole);
      if (value === undefined) return [];
      this.changes.add(`${path}/${inner}`, rule, undefined, value);
      return [[inner, value] as const];
    });
  }

  /** Whole vectors that are not wanted, or that we may not set. */
  #leftOut(name: string, { vector, disk }: Subject): Omit<AttributeRule, 'path'> | undefined {
    if (name === 'DISK' && disk === undefined) return /CDROM$/.test(String(vector['TYPE'] ?? '')) ? CDROM_GONE : DISK_LEFT_OUT;
    const isCard = name === 'NIC' || name === 'NIC_ALIAS' || (name === 'PCI' && vector['TYPE'] === 'NIC');
    if (isCard && this.plan.nics === 'none') return NO_CARDS;
    return this.plan.facts.restricted.has(name) ? RESTRICTED : undefined;
  }

  #decide(path: string, tablePaths: readonly string[], createdPath: string, subject: Subject): string | undefined {
    const rule = ruleFor(tablePaths, subject);
    const before = subject.value;
    if (rule === undefined) return this.#kept(path, createdPath, UNKNOWN, before, before);
    switch (rule.action) {
      case 'keep':
        return this.#kept(path, createdPath, rule, before, before);
      case 'replace':
      case 'ask':
        return this.#kept(path, createdPath, rule, before, rule.value?.(subject));
      default:
        this.changes.add(path, rule, before, undefined);
        return undefined;
    }
  }

  #kept(path: string, createdPath: string, rule: Omit<AttributeRule, 'path'>, before: string, after: string | undefined): string | undefined {
    if (after !== undefined && this.plan.facts.restricted.has(createdPath)) {
      this.changes.add(path, RESTRICTED, before, undefined);
      return undefined;
    }
    if (rule.action !== 'keep' || rule === UNKNOWN) this.changes.add(path, rule, before, after);
    return after;
  }

  /** What the saved VM did not have, its name, and the marks of the run. */
  additions(saved: Vm): void {
    const none: Subject = { name: '', value: '', vector: {}, disk: undefined, moved: undefined, plan: this.plan };
    if (saved.template['OS'] === undefined) {
      const os = Object.fromEntries(this.#absent('', 'OS', 'OS', {}, none));
      if (Object.keys(os).length > 0) this.#template['OS'] = os;
    }
    for (const rule of DEFINITION_TABLE) {
      const name = rule.absent === true ? /^USER_TEMPLATE\/(\w+)$/.exec(rule.path)?.[1] : undefined;
      const value = name !== undefined && saved.userTemplate[name] === undefined && rule.applies?.(none) !== false ? rule.value?.(none) : undefined;
      if (name === undefined || value === undefined) continue;
      this.#template[name] = value;
      this.changes.add(rule.path, rule, undefined, value);
    }
    for (const [name, attribute] of Object.entries(this.request.attributes ?? {})) this.#wished(name, attribute, saved);
    for (const [name, value] of Object.entries(this.request.marks)) {
      this.#template[name] = value;
      this.changes.set(`USER_TEMPLATE/${name}`, MARK, text(saved.userTemplate[name]), value);
    }
    this.#template['NAME'] = this.request.name;
    this.changes.set('NAME', NAME, saved.name, this.request.name);
  }

  /** An attribute the caller adds takes the place of all of its name. */
  #wished(name: string, attribute: Attribute, saved: Vm): void {
    const part = saved.template[name] === undefined ? 'USER_TEMPLATE/' : '';
    const before = (part === '' ? saved.template : saved.userTemplate)[name];
    this.#template[name] = attribute;
    this.changes.drop(`${part}${name}`);
    this.changes.set(`${part}${name}`, WISHED, text(before), text(attribute));
  }
}

/** Of the vector as a whole: lines of the table without an attribute. */
function wholeRule(name: string, subject: Subject): AttributeRule | undefined {
  const rule = ruleFor([name], subject);
  return rule?.path === name && rule.action !== 'keep' ? rule : undefined;
}

/** TEMPLATE has the word of OpenNebula where both have one of a name. */
function isShadowed(prefix: string, name: string, { saved }: Renewal): boolean {
  return prefix === 'USER_TEMPLATE/' && saved.template[name] !== undefined;
}

const SHADOWED = {
  action: 'strip',
  code: 'SHADOWED',
  why: 'the VM has an attribute of that name of its own, which is carried over',
  source: 'src/vm/VirtualMachine.cc',
} as const;
const CDROM_GONE = { action: 'strip', code: 'CDROM_GONE', why: 'the image of the CD-ROM does not exist any more', source: 'src/image/ImagePool.cc' } as const;
const DISK_LEFT_OUT = { action: 'strip', code: 'DISK_LEFT_OUT', why: 'the disk is not restored', source: 'src/image/ImagePool.cc' } as const;
const NESTED = {
  action: 'strip',
  code: 'NESTED',
  why: 'OpenNebula has no place for a vector inside a vector',
  source: 'src/parsers/template_syntax.y',
} as const;
const WISHED = { action: 'replace', code: 'WISHED', why: 'it was asked for', source: 'onevault' } as const;
const NO_CARDS = { action: 'strip', code: 'NICS_NONE', why: 'the VM was wanted without network cards', source: 'onevault' } as const;
const MARK = { action: 'replace', code: 'MARK', why: 'tells what onevault made, and of which restore point', source: 'onevault' } as const;
const NAME = { action: 'replace', code: 'NAME_NEW', why: 'the name that was asked for', source: 'src/vm/VirtualMachine.cc, insert' } as const;
