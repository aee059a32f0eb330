/** Disks to export in tests. */
export { type DamagedBlock, type DiskPiece, type MemorySource, type MemorySourceOptions, memorySource } from './memory-source.ts';
