import { errorCode } from '@onevault/base';
import type { OneApi, VmId } from '@onevault/one-client';
import type { CommandContext } from '../command-context.ts';
import { findProxyVm } from '../compose.ts';

/** The VM this runs in, for what needs no proxy VM but must not stop the one we are in. */
export async function ownVmOf({ settings, signal }: CommandContext, cloud: OneApi): Promise<VmId | undefined> {
  return await findProxyVm(settings, cloud, { signal }).catch((error: unknown) => {
    if (errorCode(error)?.startsWith('ATTACH_PROXY_') === true) return undefined;
    throw error;
  });
}
