import { type CallOptions, errorCode } from '@onevault/base';
import { type AclRule, type Datastore, isCloudAdmin, type OneApi, type Quotas, type User, type VmId } from '@onevault/one-client';

/** What a plan depends on beside the VM itself; the same for every VM of a cloud. Undefined is what could not be read, and becomes an assumption. */
export interface Surroundings {
  /** Of OpenNebula: `7.0.2`. */
  readonly version: string;
  readonly datastores: readonly Datastore[] | undefined;
  readonly caller: Caller | undefined;
  /** Of the proxy VM: an image can be attached only where its datastore belongs to this cluster. */
  readonly proxyClusterId: number | undefined;
}

/** The user whose rights and quotas count. */
export interface Caller {
  readonly user: User;
  readonly rules: readonly AclRule[] | undefined;
  /** Of the user's primary group, which pays for new images as well. */
  readonly groupQuotas: Quotas | undefined;
}

/** A handful of calls, however many VMs are planned afterwards. */
export async function readSurroundings(cloud: OneApi, proxyVm: VmId | undefined, options: CallOptions = {}): Promise<Surroundings> {
  const version = await cloud.version(options);
  const datastores = await orUnknown(cloud.datastores(options));
  const user = await orUnknown(cloud.whoAmI(options));
  const proxy = proxyVm === undefined ? undefined : await orUnknown(cloud.vm(proxyVm, options));
  return {
    version,
    datastores,
    caller: user && (await callerOf(cloud, user, options)),
    proxyClusterId: proxy?.history.at(-1)?.clusterId,
  };
}

async function callerOf(cloud: OneApi, user: User, options: CallOptions): Promise<Caller> {
  const group = await orUnknown(cloud.group(user.gid, options));
  const rules = isCloudAdmin(user) ? [] : await orUnknown(cloud.aclRules(options));
  return { user, rules, groupQuotas: group?.quotas };
}

/** What we may not read is unknown; an OpenNebula that does not answer is an error. */
async function orUnknown<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (NOT_READABLE.has(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}

const NOT_READABLE: ReadonlySet<string> = new Set(['ONE_AUTHORIZATION', 'ONE_NO_EXISTS', 'ONE_RESPONSE_INVALID']);
