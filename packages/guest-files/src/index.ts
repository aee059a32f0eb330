/**
 * Files inside disk images: list, read, tar, extract. libguestfs reads them in a micro-VM; no file system of a guest is ever mounted by the kernel of this
 * machine, and nothing that a guest chose (names, sizes, links) is trusted on the way out.
 * @packageDocumentation
 */
export type { EntryFacts, EntryType, GuestEntry } from './entry.ts';
export { GuestFilesError, type GuestFilesErrorCode, type GuestFilesErrorDetails, isGuestFilesError } from './errors.ts';
export { type ExtractOptions, type ExtractReport, extractTar } from './extract/extract.ts';
export type { FileSystemsOptions, GuestFileSystem } from './file-systems.ts';
export type { GuestDisk } from './fish/launch.ts';
export { escapeName, unescapeName } from './name-text.ts';
export type { GuestSystem, MissingMount } from './operating-systems.ts';
export type { FileRange } from './read-file.ts';
export {
  type ExtractPathOptions,
  type GuestFiles,
  type GuestFilesDeps,
  type GuestLimits,
  type OpenGuestFilesOptions,
  openGuestFiles,
  type TarOptions,
} from './session.ts';
export { checkedTar, type RefusedEntry, type StreamLimits, type TarReport } from './tar/checked-tar.ts';
export type { Refusal } from './tar/entry-path.ts';
