export { type ChangingCall, type CloudFault, type FaultyCloud, faultyCloud } from './faulty-cloud.ts';
export { buildDisk, buildSnapshots, buildVm } from './vm-builder.ts';
