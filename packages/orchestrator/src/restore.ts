import type { CallOptions } from '@onevault/base';
import { formatTemplate, templateId, type Vm, vmId } from '@onevault/one-client';
import { awaitStarted } from './cloud/new-vm.ts';
import { type NewDisk, newDefinition } from './definition.ts';
import { RUN_MARK, templateName } from './names.ts';
import type { JobDeps } from './ports.ts';
import type { RestoreReport } from './report.ts';
import type { RestoreRequest } from './request.ts';
import { emptyDisk, type RestoredDisk, restoreDisk } from './restore-disk.ts';
import { planRestore, type RestorePlan } from './restore-plan.ts';
import { inRun, type Owned, type Run } from './run.ts';

/**
 * Restores a VM as a new one: each disk into a new image through the proxy, then a template, an instance of it, RUNNING; the template goes again.
 * When anything fails everything that was created is taken away: there is a whole VM in the end, or none.
 */
export async function restoreVm(deps: JobDeps, request: RestoreRequest, options: CallOptions = {}): Promise<RestoreReport> {
  const plan = await planRestore(deps, request, options);
  return inRun(deps, 'restore', `point ${plan.point.id} as ${request.name}`, (run) => restore(deps, run, plan, request, options));
}

async function restore(deps: JobDeps, run: Run, plan: RestorePlan, request: RestoreRequest, options: CallOptions): Promise<RestoreReport> {
  const startedMs = run.clock.monotonicMs();
  run.emit({ type: 'run.started', kind: 'restore', vmName: request.name, pointId: plan.point.id });
  for (const note of plan.notes) run.warn(note.code, note.message);

  const restored: RestoredDisk[] = [];
  for (const disk of plan.disks) restored.push(await restoreDisk(deps, run, plan, disk, request, options));
  const empty: { readonly disk: RestoredDisk['disk']; readonly image: Owned }[] = [];
  for (const { disk, datastore } of plan.empty) empty.push(await emptyDisk(deps, run, disk, datastore, request, options));

  const vm = await startVm(deps, run, plan, request, [...restored, ...empty], options);
  for (const { image } of [...restored, ...empty]) await image.keep();
  await vm.owned.keep();
  run.emit({ type: 'vm.restored', vmId: vm.owned.id, vmName: vm.vm.name });
  await run.unwind();
  return {
    kind: 'restore',
    runId: run.id,
    pointId: plan.point.id,
    vmId: vm.owned.id,
    vmName: vm.vm.name,
    disks: restored.map((disk) => disk.report),
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
  images: readonly { readonly disk: RestoredDisk['disk']; readonly image: Owned }[],
  options: CallOptions,
): Promise<{ readonly owned: Owned; readonly vm: Vm }> {
  const template = await createTemplate(deps, run, plan, request, images, options);
  let vm: Vm | undefined;
  const owned = await run.step('instantiate', { object: request.name }, () =>
    run.create(
      { kind: 'vm', name: request.name },
      () => deps.cloud.instantiateTemplate(templateId(template.id), request.name, { hold: request.hold }),
      async (id) => {
        vm = await run.step('wait-running', { object: request.name }, () => awaitStarted(run.cloud, vmId(id), { ...options, hold: request.hold }));
      },
    ),
  );
  await template.undo();
  return { owned, vm: vm as Vm };
}

function createTemplate(
  deps: JobDeps,
  run: Run,
  plan: RestorePlan,
  request: RestoreRequest,
  images: readonly { readonly disk: RestoredDisk['disk']; readonly image: Owned }[],
  options: CallOptions,
): Promise<Owned> {
  const name = templateName(run.id);
  const definition = newDefinition(plan.saved, {
    name,
    disks: newDisks(plan, images),
    nics: plan.nics,
    systemDatastore: request.systemDatastore,
    marks: { [RUN_MARK]: run.id, ONEVAULT_POINT: plan.point.id },
    savedVersion: plan.savedVersion,
    targetVersion: plan.targetVersion,
  });
  options.signal?.throwIfAborted();
  return run.step('allocate-template', { object: name }, () =>
    run.create({ kind: 'template', name }, () => deps.cloud.allocateTemplate(formatTemplate(definition))),
  );
}

/** The disks in their old order, so that the guest finds them where it looks for them. */
function newDisks(plan: RestorePlan, images: readonly { readonly disk: RestoredDisk['disk']; readonly image: Owned }[]): NewDisk[] {
  const disks: NewDisk[] = [
    ...images.map(({ disk, image }) => ({ diskId: disk.diskId, imageId: image.id })),
    ...plan.cdroms.flatMap((disk) => (disk.imageId === undefined ? [] : [{ diskId: disk.diskId, imageId: disk.imageId }])),
    ...plan.volatile.map((disk) => ({ diskId: disk.diskId, volatile: { sizeMiB: disk.sizeMiB, type: disk.type, format: disk.format } })),
  ];
  return disks.sort((a, b) => a.diskId - b.diskId);
}
