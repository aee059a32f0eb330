export { readDisk } from './read-disk.ts';
export { type ScanBytesOptions, scanBytes } from './scan-bytes.ts';
