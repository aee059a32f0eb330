import type { vmSchemas } from '@onevault/api';
import type { DrillRecord, Repository } from '@onevault/backup-format';
import type { CallOptions } from '@onevault/base';
import { type DrillFacts, listUndoSets, readDrillFacts } from '@onevault/orchestrator';
import type { z } from 'zod';
import type { Caller } from '../ports/call.ts';
import type { Inventory } from '../ports/inventory.ts';
import type { LiveAccess } from './live-access.ts';

type UndoAnswer = z.output<typeof vmSchemas.undoSet>;
type DrillAnswer = z.output<typeof vmSchemas.drill>;

const MIB = 1024 * 1024;

/** The ways back of a VM, newest first. What only its own images say is one is none to show: they may be anybody's. */
export async function undoSets(access: LiveAccess, vmId: number, options: CallOptions): Promise<UndoAnswer[]> {
  const sets = await access.askCloud((cloud, call) => listUndoSets(cloud, vmId, call), options);
  return sets
    .filter(({ confirmed }) => confirmed)
    .map(({ set, since, until, pointId, complete, images }) => ({
      set,
      vmId,
      since: new Date(since).toISOString(),
      until: new Date(until).toISOString(),
      ...(pointId !== undefined && { pointId }),
      complete,
      images: images.map(({ image, target }) => ({ imageId: image.id, name: image.name, sizeBytes: image.sizeMiB * MIB, target })),
    }));
}

export interface DrillWish {
  readonly repository: string;
  readonly vmId: number | undefined;
  readonly limit: number;
}

/** Test restores of VMs that the caller may use, newest first. */
export async function drills(
  access: LiveAccess,
  inventory: Pick<Inventory, 'vm'>,
  caller: Caller,
  { repository, vmId, limit }: DrillWish,
  options: CallOptions,
): Promise<DrillAnswer[]> {
  const found = await access.askRepository(repository, (open, call) => allDrills(open, repository, call), options);
  return found
    .filter((drill) => (vmId === undefined || drill.vmId === vmId) && isVisible(drill, inventory, caller))
    .sort((a, b) => b.finishedAt.localeCompare(a.finishedAt))
    .slice(0, limit);
}

/** The repository keeps the newest twenty of each VM. */
async function allDrills(repository: Repository, name: string, options: CallOptions): Promise<DrillAnswer[]> {
  const answers: DrillAnswer[] = [];
  for await (const record of repository.drills.list({}, options)) answers.push(drillAnswer(record, name, readDrillFacts(record.facts)));
  return answers;
}

/** One that does not say whose it is, is for administrators. */
function isVisible({ vmId }: DrillAnswer, inventory: Pick<Inventory, 'vm'>, caller: Caller): boolean {
  const vm = vmId === undefined ? undefined : inventory.vm(vmId);
  return vm === undefined ? caller.role === 'admin' : caller.mayUse(vm);
}

function drillAnswer(record: DrillRecord, repository: string, facts: DrillFacts | undefined): DrillAnswer {
  const failure = facts?.failure ?? undefined;
  const vmId = facts?.sourceVmId ?? undefined;
  const rtoMs = facts?.measures.rtoMs ?? undefined;
  return {
    id: record.id,
    repository,
    pointId: record.pointId,
    ...(vmId !== undefined && { vmId }),
    ...(facts !== undefined && { vmName: facts.vmName }),
    startedAt: new Date(record.startedAt).toISOString(),
    finishedAt: new Date(record.finishedAt).toISOString(),
    outcome: record.outcome,
    ...(rtoMs !== undefined && { rtoMs: Math.round(rtoMs) }),
    ...(failure !== undefined && { failure: { code: failure.code, text: failure.message } }),
  };
}
