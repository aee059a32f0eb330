import { type CallOptions, errorCode, mapOrdered } from '@onevault/base';
import { isRunning, type OneApi, type VmId, vmId } from '@onevault/one-client';
import { findOwnVm, readProductUuid } from '@onevault/proxy-attach';
import type { Settings } from './settings.ts';

/** Calls at once while looking for the proxy VM among the running ones. */
const LOOKUPS = 4;

/** The VM this process runs in, unless the settings name it. Throws ATTACH_PROXY_UNKNOWN where it is none of this cloud. */
export async function findProxyVm(settings: Pick<Settings, 'proxyVm' | 'proxyRoot'>, cloud: OneApi, options: CallOptions): Promise<VmId> {
  if (settings.proxyVm !== undefined) return vmId(settings.proxyVm);
  const uuid = await readProductUuid(settings.proxyRoot, options);
  return await findOwnVm(
    mapOrdered(runningVms(cloud, uuid, options), (id) => cloud.vm(id, options), { ...options, concurrency: LOOKUPS }),
    uuid,
    options,
  );
}

/** The VM this runs in, for what needs no proxy VM but must not stop the one we are in; undefined where it is none. */
export async function ownVmOf(settings: Pick<Settings, 'proxyVm' | 'proxyRoot'>, cloud: OneApi, options: CallOptions): Promise<VmId | undefined> {
  return await findProxyVm(settings, cloud, options).catch((error: unknown) => {
    if (errorCode(error)?.startsWith('ATTACH_PROXY_') === true) return undefined;
    throw error;
  });
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * We are running, so the VM we are in is. Its DEPLOY_ID, which the listing has, is the uuid of its domain (KVM's deploy script): whoever has another one
 * is somebody else, and need not be read. What is no uuid says nothing.
 */
async function* runningVms(cloud: OneApi, uuid: string, options: CallOptions): AsyncGenerator<VmId> {
  for await (const { id, deployId, ...vm } of cloud.vms(options)) {
    if (isRunning(vm) && (!UUID.test(deployId) || deployId.toLowerCase() === uuid.toLowerCase())) yield id;
  }
}
