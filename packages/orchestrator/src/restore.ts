import type { CallOptions } from '@onevault/base';
import { formatTemplate, templateId, type Vm, vmId } from '@onevault/one-client';
import { assertHasImages, awaitStarted } from './cloud/new-vm.ts';
import { type NewDisk, newDefinition } from './definition.ts';
import { templateName, unfinishedMarks } from './names.ts';
import type { JobDeps } from './ports.ts';
import type { RestoredDiskReport, RestoreReport } from './report.ts';
import type { RestoreRequest } from './request.ts';
import { allocateImage, type NewImage, restoreDisk, settlePersistence } from './restore-disk.ts';
import { planRestore, type RestorePlan } from './restore-plan.ts';
import { inRun, type Owned, type Run } from './run.ts';

/**
 * Restores a VM as a new one: each disk into a new image through the proxy, then a template, an instance of it, RUNNING; the template goes again.
 * When anything fails everything that was created is taken away: there is a whole VM in the end, or none.
 */
export async function restoreVm(deps: JobDeps, request: RestoreRequest, options: CallOptions = {}): Promise<RestoreReport> {
  const plan = await planRestore(deps, request, options);
  const facts = { kind: 'restore', about: `point ${plan.point.id} as ${request.name}` } as const;
  return inRun(deps, facts, options, (run) => restore(deps, run, plan, request, options));
}

async function restore(deps: JobDeps, run: Run, plan: RestorePlan, request: RestoreRequest, options: CallOptions): Promise<RestoreReport> {
  const startedMs = run.clock.monotonicMs();
  run.emit({ type: 'run.started', kind: 'restore', vmName: request.name, pointId: plan.point.id });
  for (const note of plan.notes) run.warn(note.code, note.message);

  // All images before the first byte: a name that is taken and a datastore that is full show themselves at once, not after hours of writing.
  const fresh: NewImage[] = [];
  for (const spec of plan.images) fresh.push(await allocateImage(run, request.name, spec, options));
  const reports: RestoredDiskReport[] = [];
  for (const image of fresh) {
    const restored = plan.disks.find(({ disk }) => disk === image.disk);
    if (restored === undefined) await settlePersistence(run, image, options);
    else reports.push(await restoreDisk(deps, run, plan, restored, image, request, options));
  }

  const { owned, vm } = await startVm(deps, run, plan, request, fresh, options);
  await run.keep([...fresh.map(({ image }) => image), owned]);
  run.emit({ type: 'vm.restored', vmId: owned.id, vmName: vm.name });
  await run.unwind();
  return {
    kind: 'restore',
    runId: run.id,
    pointId: plan.point.id,
    vmId: owned.id,
    vmName: vm.name,
    disks: reports,
    notes: plan.notes,
    durationMs: run.elapsedMs(startedMs),
    residue: run.residue,
  };
}

async function startVm(
  deps: JobDeps,
  run: Run,
  plan: RestorePlan,
  request: RestoreRequest,
  images: readonly NewImage[],
  options: CallOptions,
): Promise<{ readonly owned: Owned; readonly vm: Vm }> {
  const template = await createTemplate(deps, run, plan, request, images, options);
  options.signal?.throwIfAborted();
  const started: Vm[] = [];
  const owned = await run.step('instantiate', { object: request.name }, () =>
    run.create(
      { kind: 'vm', name: request.name },
      (send) => send(() => deps.cloud.instantiateTemplate(templateId(template.id), request.name, { hold: request.hold })),
      async (id) => {
        const vm = await run.step('wait-running', { object: request.name }, () => awaitStarted(run.cloud, vmId(id), { ...options, hold: request.hold }));
        assertHasImages(
          vm,
          images.map(({ image }) => image.id),
        );
        started.push(vm);
      },
    ),
  );
  await template.undo();
  const [vm] = started;
  if (vm === undefined) throw new TypeError('a VM was settled without having been seen');
  return { owned, vm };
}

function createTemplate(
  deps: JobDeps,
  run: Run,
  plan: RestorePlan,
  request: RestoreRequest,
  images: readonly NewImage[],
  options: CallOptions,
): Promise<Owned> {
  const name = templateName(run.id);
  const definition = newDefinition(plan.saved, {
    name,
    disks: newDisks(plan, images),
    nics: plan.nics,
    systemDatastore: request.systemDatastore,
    // The VM is called as it was asked for: its mark says that name, not the template's.
    marks: { ...unfinishedMarks(run.id, request.name), ONEVAULT_POINT: plan.point.id },
    savedVersion: plan.savedVersion,
    targetVersion: plan.targetVersion,
  });
  options.signal?.throwIfAborted();
  return run.step('allocate-template', { object: name }, () =>
    run.create({ kind: 'template', name }, (send) => send(() => deps.cloud.allocateTemplate(formatTemplate(definition)))),
  );
}

/** The disks in their old order, so that the guest finds them where it looks for them. */
function newDisks(plan: RestorePlan, images: readonly NewImage[]): NewDisk[] {
  const disks: NewDisk[] = [
    ...images.map(({ disk, image }) => ({ diskId: disk.diskId, imageId: image.id })),
    ...plan.cdroms.flatMap((disk) => (disk.imageId === undefined ? [] : [{ diskId: disk.diskId, imageId: disk.imageId }])),
    ...plan.volatile.map((disk) => ({ diskId: disk.diskId, volatile: { sizeMiB: disk.sizeMiB, type: disk.type, format: disk.format } })),
  ];
  return disks.sort((a, b) => a.diskId - b.diskId);
}
