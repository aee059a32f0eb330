export { memoryExport } from './memory-export.ts';
export { assemble, type Chunk, RawClient } from './raw-client.ts';
