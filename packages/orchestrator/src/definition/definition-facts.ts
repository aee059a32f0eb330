import type { Attributes } from '@onevault/one-client';

/** What the definition of a new VM depends on beside the saved body: read once, before anything is created. */
export interface DefinitionFacts {
  /** The VM that was saved exists still: its UUID, its addresses and its devices are taken. */
  readonly originalLives: boolean;
  /** Paths that OpenNebula refuses to take from the user we act as (`NIC/MAC`, `PCI`); empty for cloud administrators. */
  readonly restricted: ReadonlySet<string>;
  /** TEMPLATE of each network at the time of the backup, by id: tells what a NIC has of its network from what it was given itself. */
  readonly savedNetworks: ReadonlyMap<string, Attributes>;
  /** Ids of security groups and VM groups that do not exist any more, or that we may not use. */
  readonly goneSecurityGroups: ReadonlySet<string>;
  readonly goneVmGroups: ReadonlySet<string>;
  /** Images of files of the context, by where they lie: `FILES_DS` of a saved VM has nothing but that. */
  readonly contextFiles: ReadonlyMap<string, number>;
}

/** Of a cloud nothing is known of: the original may live, all else exists. */
export const NO_FACTS: DefinitionFacts = {
  originalLives: true,
  restricted: new Set(),
  savedNetworks: new Map(),
  goneSecurityGroups: new Set(),
  goneVmGroups: new Set(),
  contextFiles: new Map(),
};
