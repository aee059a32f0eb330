import { type CallOptions, isAbort, type SerializedError, serializeError } from '@onevault/base';
import type { Vm, VmId } from '@onevault/one-client';
import type { ControlDeps } from '../ports.ts';
import { deleteMembers } from './delete-snapshots.ts';
import { lookAt } from './look.ts';
import { planSetDeletion, type SetDeletion } from './plan-delete.ts';
import { checkPrunePolicy, type PruneDecision, type PrunePolicy, planPrune } from './prune-policy.ts';
import { type SnapshotRefusal, snapshotRefused } from './refusal.ts';
import { readSnapshots } from './snapshot-set.ts';
import { vmRefusals } from './vm-checks.ts';

export interface PruneRequest {
  readonly vmId: VmId;
  readonly policy: PrunePolicy;
  readonly dryRun: boolean;
}

/** A decision and what came of it. `impossible`: OpenNebula or its driver would not, and why. */
export interface PrunedSet extends PruneDecision {
  readonly outcome: 'kept' | 'deleted' | 'would-delete' | 'impossible' | 'failed';
  readonly refusals: readonly SnapshotRefusal[];
  readonly error?: SerializedError;
}

export interface PruneReport {
  readonly vmId: number;
  readonly vmName: string;
  /** Newest first; sets that the policy does not mean are not here. */
  readonly sets: readonly PrunedSet[];
}

/**
 * Applies a policy to the sets of one VM: each goes whole or not at all, one after another. One that cannot go, or fails, is told and does not stop the
 * others. Everything that is not a set of ours is not even looked at.
 */
export async function pruneSnapshots(deps: ControlDeps, request: PruneRequest, options: CallOptions = {}): Promise<PruneReport> {
  checkPrunePolicy(request.policy);
  const { vm, version } = await lookAt(deps, request.vmId, 'pruning of snapshots', options);
  const decisions = planPrune(readSnapshots(vm).sets, request.policy, deps.clock.now());
  const going = decisions.filter(({ verdict }) => verdict === 'delete').map(({ set }) => set);
  const refusals = going.length === 0 ? [] : vmRefusals(vm, version);
  if (refusals.length > 0 && !request.dryRun) throw snapshotRefused(vm, 'pruning the snapshots', refusals);
  const deletion = planSetDeletion(vm, going);
  const outcomes = request.dryRun ? new Map<string, Outcome>() : await deleteSets(deps, vm, version, deletion, options);
  return { vmId: vm.id, vmName: vm.name, sets: decisions.map((decision) => prunedSet(decision, deletion, refusals, outcomes)) };
}

type Outcome = 'deleted' | SerializedError;

async function deleteSets(deps: ControlDeps, vm: Vm, version: string, deletion: SetDeletion, options: CallOptions): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  for (const { set } of deletion.order) {
    options.signal?.throwIfAborted();
    try {
      const now = await lookAt(deps, vm.id, 'pruning of snapshots', options);
      const found = readSnapshots(now.vm).sets.find(({ setId }) => setId === set.setId);
      if (found !== undefined) await deleteMembers(deps, now.vm, version, [{ name: set.name, set: found }], found.members, options);
      outcomes.set(set.setId, 'deleted');
    } catch (error) {
      if (isAbort(error)) throw error;
      outcomes.set(set.setId, serializeError(error));
    }
  }
  return outcomes;
}

function prunedSet(decision: PruneDecision, deletion: SetDeletion, vmWide: readonly SnapshotRefusal[], outcomes: ReadonlyMap<string, Outcome>): PrunedSet {
  if (decision.verdict === 'keep') return { ...decision, outcome: 'kept', refusals: [] };
  const refusals = [...vmWide, ...(deletion.refused.find(({ set }) => set.setId === decision.set.setId)?.refusals ?? [])];
  if (refusals.length > 0) return { ...decision, outcome: 'impossible', refusals };
  const outcome = outcomes.get(decision.set.setId);
  if (outcome === undefined) return { ...decision, outcome: 'would-delete', refusals: [] };
  return outcome === 'deleted' ? { ...decision, outcome: 'deleted', refusals: [] } : { ...decision, outcome: 'failed', refusals: [], error: outcome };
}
