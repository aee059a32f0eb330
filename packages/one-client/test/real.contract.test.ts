import { Secret } from '@onevault/base';
import { describe } from 'vitest';
import { createOneClient, datastoreId, findConnection, vmId } from '../src/index.ts';
import { oneApiContract } from '../testing/index.ts';

/**
 * The contract against a real OpenNebula, when it is asked for: ONEVAULT_REAL=1, credentials and endpoint as for the `one*` commands, and the
 * objects that may be used: ONEVAULT_REAL_VM, ONEVAULT_REAL_PROXY_VM, ONEVAULT_REAL_DATASTORE (ids). See `OneApiFixture` for what they must be.
 */
describe.skipIf(process.env['ONEVAULT_REAL'] !== '1')('with ONEVAULT_REAL=1', () => {
  oneApiContract('a real OpenNebula', async () => {
    const connection = await findConnection(process.env);
    const api = createOneClient(connection);
    const stranger = createOneClient({ ...connection, session: new Secret(`${connection.userName}:not-the-password`) });
    return {
      api,
      stranger,
      vm: vmId(required('ONEVAULT_REAL_VM')),
      proxyVm: vmId(required('ONEVAULT_REAL_PROXY_VM')),
      imageDatastore: datastoreId(required('ONEVAULT_REAL_DATASTORE')),
      operationTimeoutMs: 600_000,
      async [Symbol.asyncDispose]() {
        await stranger[Symbol.asyncDispose]();
        await api[Symbol.asyncDispose]();
      },
    };
  });
});

function required(name: string): number {
  const value = process.env[name];
  if (value === undefined || !/^\d+$/.test(value)) throw new Error(`set ${name} to the id of an object that the contract may use`);
  return Number(value);
}
