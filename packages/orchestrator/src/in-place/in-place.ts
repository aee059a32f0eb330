import { type CallOptions, errorCode } from '@onevault/base';
import { imageId } from '@onevault/one-client';
import { setPersistence } from '../cloud/image.ts';
import { settled } from '../cloud/when-free.ts';
import { deltaToImage } from '../delta/delta-image.ts';
import { isValidName, unfinishedMarks } from '../names.ts';
import type { JobDeps } from '../ports.ts';
import type { SwapReport } from '../report.ts';
import { restoreImage } from '../restore-image.ts';
import { inRun, type Owned, type Run } from '../run.ts';
import { exchangeDisks } from './exchange.ts';
import { keptAttributes } from './kept-attributes.ts';
import { type InPlacePlan, type InPlaceRequest, type PlannedDisk, planInPlace } from './plan-in-place.ts';
import { swapRefused } from './refusal.ts';
import { saveDisk } from './save-disk.ts';
import { swapReport } from './swap-report.ts';

/** An image with the bytes of the restore point, beside the one that the VM still has. */
interface ReadyDisk {
  readonly planned: PlannedDisk;
  readonly image: Owned;
  readonly name: string;
  readonly method: 'full' | 'delta';
  readonly scannedBytes: number;
  readonly writtenBytes: number;
}

/**
 * Restores disks of a VM in place: new images are written beside the old ones while the VM runs on, then the VM is stopped, its disks are exchanged, and it
 * is started as it was. The old images are kept as the way back (`undoSwap`). The VM ends with all its old disks or with all the new ones, whatever dies.
 */
export async function restoreInPlace(deps: JobDeps, request: InPlaceRequest, options: CallOptions = {}): Promise<SwapReport> {
  const plan = await planInPlace(deps, request, options);
  const { vm, point } = plan;
  if (plan.refusals.length > 0) throw swapRefused(vm, `restore in place of point ${point.id}`, plan.refusals);
  const facts = { kind: 'swap', about: `point ${point.id} in place of VM ${vm.id} ${vm.name}` } as const;
  return inRun(deps, facts, options, (run) => restore(deps, run, plan, request, options));
}

async function restore(deps: JobDeps, run: Run, plan: InPlacePlan, request: InPlaceRequest, options: CallOptions): Promise<SwapReport> {
  const startedMs = run.clock.monotonicMs();
  const { vm, point } = plan;
  run.emit({ type: 'run.started', kind: 'swap', action: 'in-place', vmId: vm.id, vmName: vm.name, pointId: point.id });
  for (const note of plan.notes) run.warn(note.code, note.message);
  const ready: ReadyDisk[] = [];
  for (const planned of plan.disks) ready.push(await prepareDisk(deps, run, plan, planned, request, options));
  const exchanged = await exchangeDisks(
    run,
    {
      vm,
      stop: request.stop,
      keepUndoMs: request.keepUndoMs,
      pointId: point.id,
      disks: ready.map(({ planned: { disk }, image }) => ({ disk, next: { imageId: image.id, attributes: keptAttributes(vm.id, disk) } })),
      made: ready.map(({ image: owned, name }) => ({ owned, name })),
    },
    options,
  );
  await run.unwind();
  const report = swapReport(run, { action: 'in-place', exchanged, vm, notes: plan.notes, startedMs });
  return {
    ...report,
    disks: report.disks.map((entry) => {
      const found = ready.find(({ planned }) => planned.disk.target === entry.target);
      if (found === undefined) return entry;
      const { method, scannedBytes, writtenBytes, planned } = found;
      return { ...entry, method, scannedBytes, writtenBytes, verified: request.verify, snapshots: planned.snapshots };
    }),
  };
}

async function prepareDisk(
  deps: JobDeps,
  run: Run,
  plan: InPlacePlan,
  planned: PlannedDisk,
  request: InPlaceRequest,
  options: CallOptions,
): Promise<ReadyDisk> {
  const name = newName(run, plan, planned);
  const copy = planned.method === 'delta' ? await copyForDelta(run, plan, planned, name, options) : undefined;
  if (copy !== undefined) return await writeDelta(deps, run, plan, planned, { owned: copy, name }, request, options);
  const source = { point: plan.point, stored: planned.stored };
  const { image, report } = await restoreImage(deps, run, { ...planned.spec, name }, source, {
    ...options,
    verify: request.verify,
    scanWorkers: request.scanWorkers,
  });
  return { planned, image, name, method: 'full', scannedBytes: 0, writtenBytes: report.writtenBytes };
}

/**
 * The VM runs on while its disk is copied, so that the copy may be of no single moment: that does not matter, since every block that is not as the point
 * says is written. Undefined where the driver saves no disk: a whole restore needs no copy.
 */
async function copyForDelta(run: Run, { vm: planned }: InPlacePlan, { disk }: PlannedDisk, name: string, options: CallOptions): Promise<Owned | undefined> {
  try {
    const vm = await settled(run.cloud, planned.id, `copy of disk ${disk.diskId}`, options);
    return await saveDisk(run, vm, disk, name, options, unfinishedMarks(run.id, name));
  } catch (error) {
    if (errorCode(error) !== 'JOB_EFFECT_MISSING') throw error;
    run.warn('DELTA_FELL_BACK', `${disk.target} is written whole: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

async function writeDelta(
  deps: JobDeps,
  run: Run,
  plan: InPlacePlan,
  planned: PlannedDisk,
  copy: { readonly owned: Owned; readonly name: string },
  request: InPlaceRequest,
  options: CallOptions,
): Promise<ReadyDisk> {
  const { disk, stored, spec } = planned;
  const { owned: image, name } = copy;
  await setPersistence(run.cloud, imageId(image.id), true, options);
  const target = { diskId: disk.diskId, image, sizeBytes: spec.sizeMiB * 1024 * 1024 };
  const { verify, scanWorkers } = request;
  const report = await deltaToImage(deps, run, target, { point: plan.point, stored }, { ...options, verify, scanWorkers });
  if (!spec.persistent) await run.step('set-persistence', { diskId: disk.diskId }, () => setPersistence(run.cloud, imageId(image.id), false, options));
  return { planned, image, name, method: 'delta', scannedBytes: report.scannedBytes, writtenBytes: report.writtenBytes };
}

/** Free for certain: it has the run's id in it. */
function newName(run: Run, { vm }: InPlacePlan, { disk }: PlannedDisk): string {
  const name = `${vm.name}-${disk.target}-${run.id}`;
  return isValidName(name) ? name : `vm-${vm.id}-${disk.target}-${run.id}`;
}
