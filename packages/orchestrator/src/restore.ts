import { type CallOptions, forEachConcurrent } from '@onevault/base';
import { formatTemplate, templateId, type Vm, vmId } from '@onevault/one-client';
import { assertHasImages, awaitStarted } from './cloud/new-vm.ts';
import { handOver } from './hand-over.ts';
import { templateName, unfinishedMarks } from './names.ts';
import type { Transfer } from './plan-ownership.ts';
import type { JobDeps } from './ports.ts';
import type { RestoredDiskReport, RestoreReport } from './report.ts';
import type { RestoreRequest } from './request.ts';
import { assertRestorable, checkRestore } from './restore-checks/check-restore.ts';
import { allocateEmpty, allocateFresh, type FreshImage, fillImage } from './restore-image.ts';
import { planRestore, type RestorePlan } from './restore-plan.ts';
import { restoredDefinition } from './restored-definition.ts';
import { inRun, type Owned, type Run } from './run.ts';

/** Disks written at the same time, where nobody says otherwise. */
const PARALLEL_DISKS = 2;

/** A restore under way: what every stage of it needs. */
export interface RestoreJob {
  readonly deps: JobDeps;
  readonly run: Run;
  readonly plan: RestorePlan;
  readonly request: RestoreRequest;
  readonly options: CallOptions;
  /** Told once, when all disks are written. */
  readonly onWritten?: () => void;
}

/** An image of the plan, made and not yet written. */
type AllocatedImage = RestorePlan['images'][number] & { readonly fresh: FreshImage };

/** The image that a disk of the new VM is. */
export interface DiskImage {
  readonly diskId: number;
  readonly image: Owned;
  /** Of a disk that was written. */
  readonly report: RestoredDiskReport | undefined;
  readonly transfer: Transfer;
}

/**
 * Restores a VM as a new one: each disk into a new image through the proxy, then a template, an instance of it, RUNNING; the template goes again.
 * When anything fails everything that was created is taken away: there is a whole VM in the end, or none.
 */
export async function restoreVm(deps: JobDeps, request: RestoreRequest, options: CallOptions = {}): Promise<RestoreReport> {
  const plan = await planRestore(deps, request, options);
  assertRestorable(await checkRestore(deps, plan, request, options));
  const { keepOnFailure } = request;
  const facts = { kind: 'restore', about: `point ${plan.point.id} as ${request.name}`, keepOnFailure } as const;
  return inRun(deps, facts, options, (run) => restore({ deps, run, plan, request, options }));
}

async function restore(job: RestoreJob): Promise<RestoreReport> {
  const { run, plan, request } = job;
  const startedMs = run.clock.monotonicMs();
  run.emit({ type: 'run.started', kind: 'restore', vmName: request.name, pointId: plan.point.id });
  for (const note of plan.notes) run.warn(note.code, note.message);

  const { owned, vm, images } = await buildVm(job);
  await run.keep([...images.map(({ image }) => image), owned]);
  run.emit({ type: 'vm.restored', vmId: owned.id, vmName: vm.name });
  await run.unwind();
  const handedOver = await handOver(run, [
    ...images.map(({ image: { id }, transfer }) => ({ kind: 'image', id, transfer }) as const),
    { kind: 'vm', id: owned.id, transfer: plan.transfer },
  ]);
  return {
    kind: 'restore',
    runId: run.id,
    pointId: plan.point.id,
    vmId: owned.id,
    vmName: vm.name,
    disks: images.flatMap(({ report }) => report ?? []),
    notes: [...plan.notes, ...handedOver],
    durationMs: run.elapsedMs(startedMs),
    residue: run.residue,
  };
}

/** A restored VM that runs (or is in HOLD), and is still the run's to take away. */
export interface BuiltVm {
  readonly owned: Owned;
  readonly vm: Vm;
  readonly images: readonly DiskImage[];
  /** Until all its disks were written, and from then on until it ran. */
  readonly writeMs: number;
  readonly bootMs: number;
}

/** All of a restore but the decision that its product stays. */
export async function buildVm(job: RestoreJob): Promise<BuiltVm> {
  const { run } = job;
  const startedMs = run.clock.monotonicMs();
  const images = await writeImages(job, await allocateImages(job));
  const writeMs = run.elapsedMs(startedMs);
  job.onWritten?.();
  const template = await createTemplate(job, images);
  const { owned, vm } = await startVm(job, template, images);
  const bootMs = run.elapsedMs(startedMs) - writeMs;
  await template.undo();
  return { owned, vm, images, writeMs, bootMs };
}

/** All images before the first byte: a datastore that is full shows itself at once, not after hours of writing. */
async function allocateImages({ run, plan, options }: RestoreJob): Promise<AllocatedImage[]> {
  const images: AllocatedImage[] = [];
  for (const image of plan.images) {
    const { spec, source } = image;
    images.push({ ...image, fresh: source === undefined ? await allocateEmpty(run, spec, options) : await allocateFresh(run, spec, options) });
  }
  return images;
}

/** Several at a time; what OpenNebula does with the proxy, it does one after another. One disk's failure ends the others: there will be no VM. */
async function writeImages(job: RestoreJob, fresh: readonly AllocatedImage[]): Promise<DiskImage[]> {
  const { deps, run, request, options } = job;
  const images: DiskImage[] = [];
  const failed = new AbortController();
  const signal = options.signal === undefined ? failed.signal : AbortSignal.any([options.signal, failed.signal]);
  const write = async ({ spec: { diskId }, source, transfer, fresh: image }: AllocatedImage): Promise<DiskImage> => {
    if (source === undefined) return { diskId, transfer, image: image.image, report: undefined };
    return { diskId, transfer, ...(await fillImage(deps, run, image, source, { verify: request.verify, scanWorkers: request.scanWorkers, signal })) };
  };
  await forEachConcurrent(
    fresh,
    async (image) => {
      try {
        images.push(await write(image));
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    },
    { concurrency: request.parallelDisks ?? PARALLEL_DISKS },
  );
  return images.sort((a, b) => a.diskId - b.diskId);
}

function createTemplate({ deps, run, plan, request, options }: RestoreJob, images: readonly DiskImage[]): Promise<Owned> {
  const name = templateName(run.id);
  const { template: definition } = restoredDefinition(plan, request, {
    name,
    // The VM is called as it was asked for: its mark says that name, not the template's.
    marks: { ...unfinishedMarks(run.id, request.name), ONEVAULT_POINT: plan.point.id },
    imageOf: (id) => images.find(({ diskId }) => diskId === id)?.image.id,
  });
  options.signal?.throwIfAborted();
  return run.step('allocate-template', { object: name }, () =>
    run.create({ kind: 'template', name }, (send) => send(() => deps.cloud.allocateTemplate(formatTemplate(definition)))),
  );
}

async function startVm(
  { deps, run, request, options }: RestoreJob,
  template: Owned,
  images: readonly DiskImage[],
): Promise<{ readonly owned: Owned; readonly vm: Vm }> {
  options.signal?.throwIfAborted();
  const started: Vm[] = [];
  const { name, hold } = request;
  const owned = await run.step('instantiate', { object: name }, () =>
    run.create(
      { kind: 'vm', name },
      (send) => send(() => deps.cloud.instantiateTemplate(templateId(template.id), name, { hold })),
      async (id) => {
        const vm = await run.step('wait-running', { object: name }, () => awaitStarted(run.cloud, vmId(id), { ...options, hold }));
        assertHasImages(
          vm,
          images.map(({ image }) => image.id),
        );
        started.push(vm);
      },
    ),
  );
  const [vm] = started;
  if (vm === undefined) throw new TypeError('a VM was settled without having been seen');
  return { owned, vm };
}
