import { oneApiContract } from '@onevault/one-client/testing';
import { DATASTORE, simulatedCloud } from './simulated-cloud.ts';

oneApiContract('simulator 6.10.5, ssh', () =>
  simulatedCloud('6.10.5', [
    { sizeMiB: 4, datastore: DATASTORE.ssh, format: 'qcow2' },
    { sizeMiB: 2, datastore: DATASTORE.ssh, format: 'qcow2', persistent: true },
  ]),
);
