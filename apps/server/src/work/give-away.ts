import { type CallOptions, serializeError } from '@onevault/base';
import { imageId, type OneApi, vmId } from '@onevault/one-client';
import { type JournalCopy, keptObjects } from '@onevault/orchestrator';
import type { WorkOrder } from '../ports/work-order.ts';
import { isWorthAnotherTry } from './retryable.ts';

export interface NotGiven {
  readonly code: 'OWNERSHIP_NOT_GIVEN';
  readonly text: string;
}

/**
 * Gives what a dead worker restored to whoever it was restored for: that is the last thing of a restore (docs/adr/0052), and a worker that died right before it left a
 * VM that its user cannot see. What is theirs already stays as it is. Answers what OpenNebula refused; throws what may be better in a minute.
 */
export async function giveAway(
  cloud: OneApi,
  copies: readonly JournalCopy[],
  owner: NonNullable<WorkOrder['owner']>,
  options: CallOptions,
): Promise<NotGiven[]> {
  const notGiven: NotGiven[] = [];
  for (const { kind, id } of copies.flatMap(keptObjects)) {
    try {
      const { uid, gid } = await (kind === 'vm' ? cloud.vm(vmId(id), options) : cloud.image(imageId(id), options));
      if (uid === owner.userId && gid === owner.groupId) continue;
      await (kind === 'vm' ? cloud.chownVm(vmId(id), owner, options) : cloud.chownImage(imageId(id), owner, options));
    } catch (error) {
      options.signal?.throwIfAborted();
      if (isWorthAnotherTry(error)) throw error;
      notGiven.push({ code: 'OWNERSHIP_NOT_GIVEN', text: `${kind} ${id} keeps the owner that it has: ${serializeError(error).message}` });
    }
  }
  return notGiven;
}
