import { type Clock, Secret, systemClock } from '@onevault/base';
import { vmId } from '@onevault/one-client';
import type { OneCloud } from '@onevault/one-client/testing';
import type { SimControl } from '../src/index.ts';
import { NO_TIME, startTestSimulator } from '../testing/index.ts';

type DiskSpec = Parameters<SimControl['createVm']>[0]['disks'];

const HURRY = 10;
const hurried: Clock = {
  now: systemClock.now,
  monotonicMs: () => systemClock.monotonicMs() * HURRY,
  sleep: (ms, options) => systemClock.sleep(ms / HURRY, options),
};

/** A simulator as the contract of `OneApi` wants a cloud: everything any case needs, and snapshots slow enough to be met by a second call. */
export async function simulatedCloud(version: string, disks: DiskSpec): Promise<OneCloud> {
  const simulator = await startTestSimulator({ version, times: { ...NO_TIME, snapshot: 250 } });
  const { sim } = simulator;
  const { vmId: vm } = await sim.control.createVm({ name: 'protected', disks, volatileMiB: [2] });
  const proxy = (await sim.control.state()).vms.find((one) => one.proxy);
  return {
    endpoint: sim.endpoint,
    session: new Secret(`${sim.user}:${sim.password}`),
    client: { clock: hurried, callTimeoutMs: HURRY * 30_000 },
    vm: vmId(vm),
    proxyVm: vmId(proxy?.id ?? -1),
    operationTimeoutMs: HURRY * 30_000,
    complete: true,
    maySpoilVm: true,
    [Symbol.asyncDispose]: () => simulator[Symbol.asyncDispose](),
  };
}

/** Image datastores of a fresh simulator, by storage driver. */
export const DATASTORE = { default: 1, qcow2: 100, shared: 102, ceph: 104, fsLvm: 106, ssh: 108 } as const;
