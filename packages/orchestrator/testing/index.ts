export { buildDisk, buildSnapshots, buildVm } from './vm-builder.ts';
