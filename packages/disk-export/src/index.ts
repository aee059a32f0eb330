/**
 * Disks of restore points as what other programs read: raw bytes or qcow2 images, in a file, a pipe or a block device. Needs a source of blocks and nothing else:
 * no OpenNebula, no repository format.
 * @packageDocumentation
 */
export { ExportError, type ExportErrorCode, type ExportErrorDetails } from './errors.ts';
export type { Compression, ExportDevice, ExportFormat, ExportOptions, ExportProgress, ExportReport, ExportTarget } from './export-api.ts';
export { type DirectoryContents, type DirectoryOptions, exportDirectory } from './export-directory.ts';
export { exportDisk } from './export-disk.ts';
export type { DamagedRange } from './read-range.ts';
export type { ByteRange, DiskRun, ExportSource } from './source.ts';
