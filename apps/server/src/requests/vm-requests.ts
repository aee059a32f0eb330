import { diskId, type VmId, vmId } from '@onevault/one-client';
import {
  type BackupRequest,
  type CreateLimits,
  type CreateSetRequest,
  DEFAULT_MAX_CHAIN,
  type DeleteRequest,
  type RevertRequest,
} from '@onevault/orchestrator';
import { type RequestOf, stopOf } from './restore-requests.ts';

/** What the request itself says; a policy's capture options and excluded disks come on top where it leaves them open. */
export function backupRequest({ vmId: id, mode, capture, allowLongFreeze, excludeDisks }: RequestOf<'backup'>): BackupRequest {
  return {
    vmId: vmId(id),
    mode,
    capture: capture ?? 'auto',
    ...(allowLongFreeze !== undefined && { allowLongFreeze }),
    excludeDisks: (excludeDisks ?? []).map(diskId),
    parallelDisks: 2,
  };
}

export function createSetRequest(request: RequestOf<'snapshot-create'>): CreateSetRequest {
  const { vmId: id, name, disks, keepPartial = false } = request;
  return {
    vmId: vmId(id),
    ...limitsOf(request),
    keepPartial,
    ...(name !== undefined && { label: name }),
    ...(disks !== undefined && { disks: disks.map(diskId) }),
  };
}

/** `ownVm`: the proxy VM of whoever does it, which cannot stop itself. */
export function revertRequest(request: RequestOf<'snapshot-revert'>, ownVm: VmId | undefined): RevertRequest {
  const { vmId: id, set, safety, disks, allowBranch = false, dropYounger = false } = request;
  return {
    vmId: vmId(id),
    reference: set,
    foreign: false,
    ...(disks !== undefined && { disks }),
    allowBranch,
    dropYounger,
    stop: stopOf(request),
    ...(safety && { snapshotFirst: limitsOf(request) }),
    ...(ownVm !== undefined && { ownVm }),
  };
}

export function deleteSetRequest({ vmId: id, set, disks }: RequestOf<'snapshot-delete'>): DeleteRequest {
  return { vmId: vmId(id), snapshots: [{ reference: set, foreign: false, ...(disks !== undefined && { disks }) }] };
}

function limitsOf({ maxChain, allowLongFreeze, acceptPermanent }: LimitFields): CreateLimits {
  return { maxChain: maxChain ?? DEFAULT_MAX_CHAIN, allowLongFreeze: allowLongFreeze ?? false, acceptPermanent: acceptPermanent ?? false };
}

interface LimitFields {
  readonly maxChain?: number | undefined;
  readonly allowLongFreeze?: boolean | undefined;
  readonly acceptPermanent?: boolean | undefined;
}
