import { Secret } from '@onevault/base';
import { createOneClient, datastoreId, vmId } from '@onevault/one-client';
import { oneApiContract } from '@onevault/one-client/testing';
import { startTestSimulator } from '../testing/index.ts';

const connect = (endpoint: URL, session: string) => createOneClient({ endpoint, session: new Secret(session) });

for (const version of ['7.0.2', '7.4.0']) {
  oneApiContract(`simulator ${version}`, async () => {
    const times = { snapshot: 250, snapshotDelete: 100, saveas: 100, attach: 100, detach: 100 };
    const test = await startTestSimulator({ version, times });
    const { vmId: vm } = await test.sim.control.createVm({ name: 'protected', disks: [{ sizeMiB: 4 }], volatileMiB: [2] });
    const proxy = (await test.sim.control.state()).vms.find((one) => one.proxy);
    return {
      api: connect(test.sim.endpoint, `${test.sim.user}:${test.sim.password}`),
      stranger: connect(test.sim.endpoint, `${test.sim.user}:wrong`),
      vm: vmId(vm),
      proxyVm: vmId(proxy?.id ?? -1),
      imageDatastore: datastoreId(100),
      operationTimeoutMs: 10_000,
      [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
    };
  });
}
