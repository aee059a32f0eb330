import type { SimState } from '@onevault/one-sim';
import { type CreateSetRequest, createSnapshotSet, type JobDeps, type RevertRequest, revertSnapshots, type SnapshotReport } from '@onevault/orchestrator';
import { failureOf } from './aftermath.ts';
import type { World } from './world.ts';

/** Requests with nothing special in them. */
function createRequest(world: World, facts: Partial<CreateSetRequest> = {}): CreateSetRequest {
  return { vmId: world.vm, maxChain: 3, allowLongFreeze: false, acceptPermanent: false, keepPartial: false, ...facts };
}

export function revertRequest(world: World, reference: string, facts: Partial<RevertRequest> = {}): RevertRequest {
  const stop = { gracefulMs: 60_000, hard: false };
  return { vmId: world.vm, reference, foreign: false, allowBranch: false, dropYounger: false, stop, ...facts };
}

export function takeSet(world: World, label: string, facts: Partial<CreateSetRequest> = {}, deps: JobDeps = world.deps()): Promise<SnapshotReport> {
  return createSnapshotSet(deps, createRequest(world, { label, ...facts }));
}

export function goBack(world: World, reference: string, facts: Partial<RevertRequest> = {}, deps: JobDeps = world.deps()): Promise<SnapshotReport> {
  return revertSnapshots(deps, revertRequest(world, reference, facts));
}

/** The VM as far as anybody can tell: state, disks and snapshots. */
export async function vmState(world: World): Promise<SimState['vms'][number] | undefined> {
  await world.sim.control.idle();
  return (await world.sim.control.state()).vms.find((vm) => vm.id === world.vm);
}

/** `disk/id name active parent` of every snapshot. */
export async function snapshotLines(world: World): Promise<readonly string[]> {
  const vm = await vmState(world);
  return (vm?.snapshots ?? []).map(({ diskId, id, name, active, parent }) => `${diskId}/${id} ${name}${active ? ' active' : ''} on ${parent}`);
}

/** By somebody else's hand. */
export async function takeByHand(world: World, name: string, disks: readonly number[]): Promise<void> {
  for (const disk of disks) {
    await world.must('one.vm.disksnapshotcreate', world.vm, disk, name);
    await world.sim.control.idle();
  }
}

let writes = 0;

export async function guestWrites(world: World, disks: readonly number[]): Promise<void> {
  for (const disk of disks) await world.sim.control.writeRandom(world.vm, disk, { seed: 1000 + writes++, count: 20, blockBytes: 4096 });
}

/** What the guest's disks hold, as digests: comparing megabytes takes an assertion seconds. */
export function contentOf(world: World, disks: readonly number[]): Promise<string[]> {
  return Promise.all(disks.map((disk) => world.sim.control.checksum(world.vm, disk)));
}

/** Codes of what stood in the way. */
export async function refusalCodes(run: Promise<unknown>): Promise<readonly string[]> {
  const error = (await failureOf(run)) as { code?: string; details?: { reasons?: readonly { code: string }[] } };
  return error.details?.reasons?.map(({ code }) => code) ?? [String(error.code)];
}
