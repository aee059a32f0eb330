import { backupVm, type InPlaceRequest, type JobDeps, listUndoSets, restoreInPlace, type SwapReport, type UndoRequest, undoSwap } from '@onevault/orchestrator';
import type { World } from './world.ts';

const DAY_MS = 86_400_000;

export async function pointOf(world: World): Promise<string> {
  return (await backupVm(world.deps(), world.backupRequest())).pointId;
}

export function inPlaceRequest(world: World, pointId: string, facts: Partial<InPlaceRequest> = {}): InPlaceRequest {
  return {
    pointId,
    vmId: world.vm,
    delta: false,
    verify: true,
    allowSnapshotLoss: false,
    otherVm: false,
    stop: { gracefulMs: 60_000, hard: false },
    keepUndoMs: 7 * DAY_MS,
    scanWorkers: 1,
    ...facts,
  };
}

export function inPlace(world: World, pointId: string, facts: Partial<InPlaceRequest> = {}, deps: JobDeps = world.deps()): Promise<SwapReport> {
  return restoreInPlace(deps, inPlaceRequest(world, pointId, facts));
}

export function undo(world: World, facts: Partial<UndoRequest> = {}, deps: JobDeps = world.deps()): Promise<SwapReport> {
  const request = { vmId: world.vm, allowSnapshotLoss: false, stop: { gracefulMs: 60_000, hard: false }, keepUndoMs: 7 * DAY_MS };
  return undoSwap(deps, { ...request, ...facts });
}

/** What the guest finds at each TARGET, as digests: DISK_IDs change. */
export async function contentByTarget(world: World): Promise<Readonly<Record<string, string>>> {
  await world.sim.control.idle();
  const vm = (await world.sim.control.state()).vms.find(({ id }) => id === world.vm);
  const entries = await Promise.all((vm?.disks ?? []).map(async ({ diskId, target }) => [target, await world.sim.control.checksum(world.vm, diskId)] as const));
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The guest writes to whatever is at these targets. */
export async function guestWritesTo(world: World, targets: readonly string[], seed: number): Promise<void> {
  const vm = (await world.sim.control.state()).vms.find(({ id }) => id === world.vm);
  for (const { diskId, target } of vm?.disks ?? [])
    if (targets.includes(target)) await world.sim.control.writeRandom(world.vm, diskId, { seed, count: 20, blockBytes: 4096 });
}

/** By somebody else's hand: ways back take room. */
export async function dropUndo(world: World): Promise<void> {
  for (const { images } of await listUndoSets(world.cloud, world.vm)) {
    for (const { image } of images) if (image.vmIds.length === 0) await world.must('one.image.delete', image.id, true);
  }
  await world.sim.control.idle();
}
