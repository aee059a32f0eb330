import type { Attributes } from '@onevault/one-client';
import type { DefinitionFacts } from './definition-facts.ts';
import type { NewDisk } from './definition-request.ts';

/**
 * What becomes of an attribute of the saved VM in the new one.
 * keep: as it was. strip: left out. regenerate: left out, and OpenNebula writes its own. replace: with a value of ours. ask: there is more than one right
 * answer; the one that was chosen, or else the first of its question, is carried out.
 */
export type Action = 'keep' | 'strip' | 'regenerate' | 'replace' | 'ask';

/** One line of the table. Of the lines that fit a path the first whose condition holds decides. */
export interface AttributeRule {
  /** As in the VM's body below TEMPLATE: `CPU`, `DISK/CACHE`, `DISK/CEPH_*`. Of the other parts of the body: `USER_TEMPLATE/…`, `BACKUPS/BACKUP_CONFIG/…`. */
  readonly path: string;
  readonly action: Action;
  /** Stable. */
  readonly code: string;
  /** A sentence for a person who sees the attribute gone, changed, or still there. */
  readonly why: string;
  /** Where OpenNebula does what makes this the right thing to do. */
  readonly source: string;
  /** The condition in words; it goes with `applies`. */
  readonly when?: string;
  /** It is about an attribute that the saved VM does not have, and adds it. */
  readonly absent?: true;
  readonly applies?: (subject: Subject) => boolean;
  /** The new value of `replace` and `ask`; undefined leaves the attribute out. */
  readonly value?: (subject: Subject) => string | undefined;
}

/** One attribute that a rule is asked about, and all it may look at. */
export interface Subject {
  /** Without the vector's name. */
  readonly name: string;
  readonly value: string;
  /** What it stands in, as saved; of a single attribute all of them. */
  readonly vector: Attributes;
  /** The disk that takes its place, for DISK. */
  readonly disk: NewDisk | undefined;
  /** The network a NIC is moved to, when it is. */
  readonly moved: { readonly id: number; readonly name: string } | undefined;
  readonly plan: Renewal;
}

/** What is settled for the VM as a whole before any attribute is looked at. */
export interface Renewal {
  readonly saved: { readonly template: Attributes; readonly userTemplate: Attributes };
  readonly facts: DefinitionFacts;
  readonly nics: 'keep' | 'new-addresses' | 'none';
  readonly answers: Answers;
  readonly systemDatastore: number | undefined;
  readonly savedVersion: string | undefined;
  readonly targetVersion: string;
  /** New DISK_ID by the saved one, of disks that come back. */
  readonly diskIds: ReadonlyMap<string, number>;
  /** New NIC_ID by the saved one, of NICs, PCI NICs and aliases that come back. */
  readonly nicIds: ReadonlyMap<string, number>;
  /** New NAME of a NIC by the saved one. */
  readonly nicNames: ReadonlyMap<string, string>;
}

/** The questions with their answers; the first is the default. */
export const QUESTIONS = {
  /** The UUID the guest sees: kept when the original VM is gone, or always, or never. */
  uuid: ['auto', 'keep', 'new'],
  /** PCI devices: any of the same kind, the one at the same address, or none. */
  pci: ['same-kind', 'same-address', 'none'],
  /** SCHED_ACTION: a copy of a VM must not be switched off because its original was to be. */
  'sched-actions': ['drop', 'keep'],
} as const;

export type Question = keyof typeof QUESTIONS;
export type Answers = { readonly [Q in Question]: (typeof QUESTIONS)[Q][number] };

export const DEFAULT_ANSWERS: Answers = { uuid: 'auto', pci: 'same-kind', 'sched-actions': 'drop' };
