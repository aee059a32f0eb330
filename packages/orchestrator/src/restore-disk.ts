import type { CallOptions } from '@onevault/base';
import { type Disk, imageId, type Vm } from '@onevault/one-client';
import { assertTakesDisk, awaitDiskOfVm, type DiskOfVm, requestDiskOfVm } from './cloud/disk-of-vm.ts';
import { JobError } from './errors.ts';
import { handOver } from './hand-over.ts';
import { type PlannedImage, planImage } from './plan-image.ts';
import { ownershipPlanner, ownersOf, type Transfer } from './plan-ownership.ts';
import type { JobDeps } from './ports.ts';
import type { RestoreDiskReport } from './report.ts';
import type { RestoreDiskRequest } from './request.ts';
import { type DiskSource, restoreImage } from './restore-image.ts';
import { isCdrom, noSuchDisk, type RestoreNote } from './restore-plan.ts';
import { inRun, type Owned, type Run } from './run.ts';
import { readSavedVm } from './saved-vm.ts';
import { assertNamesFree } from './taken-names.ts';

/** What restoring one disk will do, settled before anything is created. */
interface DiskPlan {
  readonly image: PlannedImage;
  readonly source: DiskSource;
  /** The VM that gets the disk, as it is now. */
  readonly vm: Vm | undefined;
  readonly transfer: Transfer;
  readonly notes: readonly RestoreNote[];
}

/** Restores one disk to a new image and, if asked for, makes it a disk of a VM that exists. When anything fails there is neither. */
export async function restoreDisk(deps: JobDeps, request: RestoreDiskRequest, options: CallOptions = {}): Promise<RestoreDiskReport> {
  const plan = await planDisk(deps, request, options);
  const { keepOnFailure } = request;
  const about = `disk ${request.diskId} of point ${plan.source.point.id} as image ${request.name}`;
  return inRun(deps, { kind: 'restore-disk', about, keepOnFailure }, options, (run) => restore(deps, run, plan, request, options));
}

async function planDisk(deps: JobDeps, request: RestoreDiskRequest, options: CallOptions): Promise<DiskPlan> {
  const point = await deps.repository.point(request.pointId, options);
  const { vm: saved } = await readSavedVm(deps, point, options);
  const disks = saved.disks.filter((disk) => disk.imageId !== undefined && !isCdrom(disk));
  const disk = disks.find(({ diskId }) => diskId === request.diskId);
  if (disk === undefined) throw noSuchDisk(point, [request.diskId], disks);
  const image = await planImage(deps, point, disk, { ...request, datastore: request.imageDatastore }, await deps.cloud.datastores(options), options);
  if (image.source === undefined) {
    throw noSuchDisk(
      point,
      [request.diskId],
      disks.filter(({ diskId }) => point.disks.some(({ key }) => key === `disk-${diskId}`)),
    );
  }
  const vm = request.attachTo && (await vmToTakeIt(deps, request.attachTo, options));
  const ownership = await ownershipPlanner(deps.cloud, request.ownership ?? {}, options);
  const transfer = await ownership.transferOf(image.saved);
  await assertNamesFree(deps.cloud, [request.name], ownersOf(ownership.self, [transfer]), options);
  return { image, source: image.source, vm, transfer, notes: ownership.notes };
}

async function vmToTakeIt(deps: JobDeps, { vmId, target }: NonNullable<RestoreDiskRequest['attachTo']>, options: CallOptions): Promise<Vm> {
  const vm = await deps.cloud.vm(vmId, options);
  if (vm.id === deps.proxyVm) {
    throw new JobError({
      code: 'JOB_ATTACH_REFUSED',
      message: `VM ${vm.id} '${vm.name}' is the proxy VM, in which this runs: it does not keep disks of other VMs`,
      details: { vmId: vm.id },
      hint: 'attach it to another VM; to look into a disk from here: onevault nbd serve, onevault files',
    });
  }
  assertTakesDisk(vm, target);
  return vm;
}

async function restore(deps: JobDeps, run: Run, plan: DiskPlan, request: RestoreDiskRequest, options: CallOptions): Promise<RestoreDiskReport> {
  const startedMs = run.clock.monotonicMs();
  const { spec } = plan.image;
  run.emit({ type: 'run.started', kind: 'restore-disk', pointId: plan.source.point.id, diskId: spec.diskId, imageName: spec.name });
  for (const note of plan.notes) run.warn(note.code, note.message);

  const { image, report } = await restoreImage(deps, run, spec, plan.source, { ...options, verify: request.verify, scanWorkers: request.scanWorkers });
  const attached = plan.vm && (await attachToVm(run, plan.vm, { image, sizeMiB: spec.sizeMiB, target: request.attachTo?.target }, options));
  await run.keep([image, ...(attached === undefined ? [] : [attached.owned])]);
  await run.unwind();
  const handedOver = await handOver(run, [{ kind: 'image', id: image.id, transfer: plan.transfer }]);
  return {
    kind: 'restore-disk',
    runId: run.id,
    pointId: plan.source.point.id,
    disk: report,
    attached: plan.vm && attached && { vmId: plan.vm.id, vmName: plan.vm.name, diskId: attached.disk.diskId, target: attached.disk.target },
    notes: [...plan.notes, ...handedOver],
    durationMs: run.elapsedMs(startedMs),
    residue: run.residue,
  };
}

interface NewDiskOfVm {
  readonly image: Owned;
  readonly sizeMiB: number;
  readonly target: string | undefined;
}

async function attachToVm(
  run: Run,
  vm: Vm,
  { image, sizeMiB, target }: NewDiskOfVm,
  options: CallOptions,
): Promise<{ readonly owned: Owned; readonly disk: Disk }> {
  const wanted: DiskOfVm = { vmId: vm.id, imageId: imageId(image.id), sizeMiB, target };
  const seen: Disk[] = [];
  const owned = await run.step('attach-to-vm', { object: vm.name }, () =>
    run.create(
      { kind: 'disk', vmId: vm.id, imageId: image.id, sizeMiB },
      async (send) => {
        await requestDiskOfVm(run.cloud, wanted, send, options);
        return image.id;
      },
      async () => void seen.push(await awaitDiskOfVm(run.cloud, wanted, vm, options)),
    ),
  );
  const [disk] = seen;
  if (disk === undefined) throw new TypeError('a disk was settled without having been seen');
  return { owned, disk };
}
