import { oneApiContract } from '@onevault/one-client/testing';
import { DATASTORE, simulatedCloud } from './simulated-cloud.ts';

oneApiContract('simulator 7.4.0, qcow2', () =>
  simulatedCloud('7.4.0', [
    { sizeMiB: 4, datastore: DATASTORE.qcow2 },
    { sizeMiB: 2, datastore: DATASTORE.qcow2, persistent: true },
  ]),
);
