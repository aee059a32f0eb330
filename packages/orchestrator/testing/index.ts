export { captureTable } from './capture-table.ts';
export { type ChangingCall, type CloudFault, type FaultyCloud, faultyCloud } from './faulty-cloud.ts';
export { buildDatastore, buildSurroundings, buildUser, NO_QUOTAS, ONLY_OWNER } from './surroundings-builder.ts';
export { buildDisk, buildSnapshots, buildVm } from './vm-builder.ts';
