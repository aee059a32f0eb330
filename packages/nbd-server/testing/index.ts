export { memoryExport } from './memory-export.ts';
