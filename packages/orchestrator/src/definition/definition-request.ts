import type { Attributes } from '@onevault/one-client';
import type { NicChoice } from '../request.ts';
import type { Answers } from './attribute-rule.ts';
import type { DefinitionFacts } from './definition-facts.ts';
import type { NetworkTargets } from './network-map.ts';

/** A disk of the new VM: an image that was restored, an empty volatile one, or a CD-ROM that still exists. */
export type NewDisk = { readonly diskId: number } /** Of an image that is still to be made: what it will be called. */ & (
  | { readonly imageId: number | string }
  | { readonly volatile: { readonly sizeMiB: number; readonly type: string; readonly format: string | undefined } }
);

export interface DefinitionRequest {
  readonly name: string;
  readonly disks: readonly NewDisk[];
  readonly nics: NicChoice;
  /** NICs of these networks go to others; see `chooseNetworks`. */
  readonly networks?: NetworkTargets;
  readonly systemDatastore: number | undefined;
  /** Take the place of all attributes of their name. */
  readonly attributes?: Attributes;
  /** Added to the template as they are: the marks of the run. */
  readonly marks: Readonly<Record<string, string>>;
  /** Version of the OpenNebula the VM was saved from, and of the one it goes to. */
  readonly savedVersion: string | undefined;
  readonly targetVersion: string;
  readonly facts?: DefinitionFacts;
  readonly answers?: Partial<Answers>;
}
