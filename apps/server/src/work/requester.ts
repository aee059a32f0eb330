import type { CallOptions } from '@onevault/base';
import { type Guarded, isOneError, mayDo, type OneApi, OneError, type Right, vmId } from '@onevault/one-client';
import type { RunRecord } from '@onevault/run-queue';
import { ServerError } from '../errors.ts';
import type { WorkOrder } from '../ports/work-order.ts';

type Owner = NonNullable<WorkOrder['owner']>;

/** That whoever asked may still do it: a run may wait for hours, and the VM be given to somebody else meanwhile. A VM that is gone is the workflow's to tell. Throws SERVER_FORBIDDEN. */
export async function checkRequester(cloud: OneApi, { owner }: Pick<WorkOrder, 'owner'>, run: Pick<RunRecord, 'vmId'>, options: CallOptions): Promise<void> {
  if (owner === undefined || run.vmId === undefined) return;
  const may = await rightsOf(cloud, owner, options);
  const vm = await cloud.vm(vmId(run.vmId), options).catch((error: unknown) => {
    if (isOneError(error, 'ONE_NO_EXISTS')) return undefined;
    throw error;
  });
  if (vm === undefined || may('manage', { kind: 'VM', ...vm })) return;
  throw new ServerError({
    code: 'SERVER_FORBIDDEN',
    message: `user ${owner.userId}, who asked for it, may not MANAGE VM ${run.vmId} any more`,
    hint: 'whoever may, asks again; onevm show tells whose it is now',
  });
}

/**
 * The cloud of an administrator in which networks that the user may not USE cannot be looked at: as OpenNebula would refuse them a VM with cards there, a restore that
 * becomes theirs is refused (NETWORK_GONE).
 */
export async function networksAs(cloud: OneApi, owner: Owner, options: CallOptions): Promise<OneApi> {
  const may = await rightsOf(cloud, owner, options);
  return {
    ...cloud,
    networks: async (call) => (await cloud.networks(call)).filter((network) => may('use', { kind: 'NET', ...network })),
    async network(id, call) {
      const network = await cloud.network(id, call);
      if (may('use', { kind: 'NET', ...network })) return network;
      throw new OneError('ONE_AUTHORIZATION', `user ${owner.userId} may not use network ${id}`, { details: { method: 'one.vn.info', objectId: id } });
    },
  };
}

type May = (right: Right, object: Guarded) => boolean;

/** Whose something is, not whether it is locked, as the API judges it. */
async function rightsOf(cloud: OneApi, { userId }: Owner, options: CallOptions): Promise<May> {
  const [user, rules] = await Promise.all([cloud.user(userId, options), cloud.aclRules(options)]);
  return (right, object) => mayDo(user, right, object, rules, { ignoreLock: true }).may === 'yes';
}
