import { type CallOptions, errorCode } from '@onevault/base';
import { findProxyVm, type Settings } from '@onevault/composition';
import { DATASTORE_TYPE, type Datastore, datastoreStateName, isCloudAdmin, mayDo, type OneApi, type VmId } from '@onevault/one-client';
import { readSurroundings, type Surroundings } from '@onevault/orchestrator';
import type { WorkerStanding } from '../ports/worker-registry.ts';

/** What a run that moves data needs of a worker, whatever the datastores: that it runs in a VM of the cloud. */
export const PROXY_REACH = 'proxy';

export function datastoreReach(id: number): string {
  return `datastore-${id}`;
}

type ReachedDatastore = WorkerStanding['datastores'][number];

/** The proxy VM that this process runs in and the image datastores whose disks it can be given. */
export interface ProxyReach {
  readonly proxyVm: { readonly id: number; readonly name: string } | undefined;
  readonly datastores: readonly ReachedDatastore[];
  /** As the queue has it. */
  readonly reach: ReadonlySet<string>;
}

export const NOTHING_REACHED: ProxyReach = { proxyVm: undefined, datastores: [], reach: new Set() };

/** A handful of calls. Where this process is in no VM of the cloud, what needs none can still be done. */
export async function readProxyReach(settings: Pick<Settings, 'proxyVm' | 'proxyRoot'>, cloud: OneApi, options: CallOptions): Promise<ProxyReach> {
  const proxyVm = await findProxyVm(settings, cloud, options).catch((error: unknown) => {
    if (errorCode(error)?.startsWith('ATTACH_PROXY_') === true) return undefined;
    throw error;
  });
  const around = await readSurroundings(cloud, proxyVm, options);
  const datastores = (around.datastores ?? [])
    .filter(({ type }) => type === DATASTORE_TYPE.IMAGE)
    .map((datastore) => {
      const reasons = reasonsAgainst(datastore, around, proxyVm);
      return { id: datastore.id, name: datastore.name, reachable: reasons.length === 0, reasons };
    });
  if (proxyVm === undefined) return { proxyVm: undefined, datastores, reach: new Set() };
  const { id, name } = await cloud.vm(proxyVm, options);
  const reached = datastores.flatMap((datastore) => (datastore.reachable ? [datastoreReach(datastore.id)] : []));
  return { proxyVm: { id, name }, datastores, reach: new Set([PROXY_REACH, ...reached]) };
}

/** Undefined where OpenNebula would give the proxy VM its images. */
function reasonsAgainst(datastore: Datastore, around: Surroundings, proxyVm: VmId | undefined): ReachedDatastore['reasons'] {
  const { caller, proxyClusterId } = around;
  const reasons: { readonly code: string; readonly text: string }[] = [];
  if (proxyVm === undefined) reasons.push({ code: 'NO_PROXY', text: 'this worker runs in no VM of the cloud' });
  else if (proxyClusterId !== undefined && !datastore.clusterIds.includes(proxyClusterId))
    reasons.push({
      code: 'DATASTORE_OTHER_CLUSTER',
      text: `it does not belong to cluster ${proxyClusterId} of the proxy VM: its images cannot be attached there`,
    });
  const state = datastoreStateName(datastore.state);
  if (state !== 'READY') reasons.push({ code: 'DATASTORE_DISABLED', text: `it is ${state}: onedatastore enable ${datastore.id}` });
  if (caller !== undefined && !isCloudAdmin(caller.user) && mayDo(caller.user, 'use', { kind: 'DATASTORE', ...datastore }, caller.rules).may === 'no')
    reasons.push({ code: 'DATASTORE_RIGHTS', text: `we may not use it: onedatastore chmod ${datastore.id}, or an access rule with USE` });
  return reasons;
}
