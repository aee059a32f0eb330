import { oneApiContract } from '@onevault/one-client/testing';
import { DATASTORE, simulatedCloud } from './simulated-cloud.ts';

oneApiContract('simulator 7.0.2, local', () =>
  simulatedCloud('7.0.2', [
    { sizeMiB: 4, datastore: DATASTORE.default, format: 'qcow2' },
    { sizeMiB: 2, datastore: DATASTORE.default, format: 'qcow2', persistent: true },
  ]),
);
