import type { RestorePoint, RestorePointWriter } from '@onevault/backup-format';
import { type CallOptions, forEachConcurrent, Scope } from '@onevault/base';
import { type CapturedDisk, captureDisks, exportDisks } from './capture.ts';
import { JobError } from './errors.ts';
import { type Inventory, takeInventory } from './inventory.ts';
import { type DiskParent, full, newestPoint, parentOf } from './parent.ts';
import { planBackup } from './plan.ts';
import type { BackupPlan, DiskCapture, DiskSkip } from './plan-model.ts';
import type { JobDeps } from './ports.ts';
import type { BackupReport, DiskReport } from './report.ts';
import type { BackupRequest } from './request.ts';
import { groupOf } from './restore-point.ts';
import { inRun, type Run } from './run.ts';
import { storeDisk } from './store-disk.ts';

/**
 * Backs up one VM: inventory, plan, snapshots of all disks, then disk by disk export, attach, scan, store and give back; metadata; and last the manifest,
 * which is what makes the restore point exist. Fails whole: a restore point never lacks a disk that the plan promised.
 */
export async function backupVm(deps: JobDeps, request: BackupRequest, options: CallOptions = {}): Promise<BackupReport> {
  const inventory = await takeInventory(deps.cloud, request.vmId, options);
  const plan = planBackup(inventory.vm, { ...request, proxyVm: deps.proxyVm });
  const captures = captureList(plan);
  return inRun(deps, 'backup', `VM ${plan.vmId} ${plan.vm.name}`, (run) => backup(deps, run, inventory, plan, captures, request, options));
}

async function backup(
  deps: JobDeps,
  run: Run,
  inventory: Inventory,
  plan: BackupPlan,
  captures: readonly DiskCapture[],
  request: BackupRequest,
  options: CallOptions,
): Promise<BackupReport> {
  const startedMs = run.clock.monotonicMs();
  announce(run, plan, inventory);

  await using scope = new Scope();
  const group = groupOf(plan.vm);
  const parentPoint = request.mode === 'full' ? undefined : await newestPoint(run, deps.repository, group, options);
  const parents = await openParents(deps, run, scope, request, parentPoint, captures, options);
  const mode = [...parents.values()].some((parent) => parent.mode === 'incremental') ? 'incremental' : 'full';
  const trusted = mode === 'incremental' ? parentPoint : undefined;
  const writer = scope.use(
    await deps.repository.begin({ group, runId: run.id, capturedAt: run.clock.now().toISOString(), mode, ...(trusted && { parentId: trusted.id }) }, options),
  );

  const captured = await captureDisks(run, plan.vm, captures, options);
  const disks = await storeDisks(deps, run, writer, plan, captured, parents, request, options);

  await run.step('metadata', {}, () => storeMetadata(writer, inventory, options));
  const point = await run.step('commit', {}, () => writer.commit({ annotations: annotations(deps, run, inventory, plan, captured) }, options));
  run.emit({ type: 'restore-point.committed', pointId: point.id });
  await run.unwind();
  return report(run, plan, point, captured, disks, startedMs);
}

/** What will be captured. Refuses a plan that could not keep its promise, and one that has nothing to promise. */
function captureList(plan: BackupPlan): DiskCapture[] {
  const refused = plan.disks.filter((disk) => disk.verdict === 'refuse');
  const why = [
    ...plan.reasons.map((reason) => reason.text),
    ...refused.map((disk) => `disk ${disk.disk.diskId}: ${disk.reasons.map((reason) => reason.text).join('; ')}`),
  ];
  if (why.length > 0) {
    throw new JobError({
      code: 'JOB_PLAN_REFUSED',
      message: `backup of VM ${plan.vmId} '${plan.vm.name}' is not possible: ${why.join('; ')}`,
      details: { vmId: plan.vmId, reasons: [...plan.reasons, ...refused.flatMap((disk) => disk.reasons)].map((reason) => reason.code) },
      hint: `onevault plan ${plan.vmId} shows the verdict for every disk; --exclude-disk leaves one out`,
    });
  }
  const captures = plan.disks.filter((disk) => disk.verdict === 'capture');
  if (captures.length > 0) return captures;
  throw new JobError({
    code: 'JOB_PLAN_EMPTY',
    message: `backup of VM ${plan.vmId} '${plan.vm.name}': none of its ${plan.disks.length} disks can be captured`,
    details: { vmId: plan.vmId, disks: plan.disks.map((disk) => ({ diskId: disk.disk.diskId, reasons: disk.reasons.map((reason) => reason.code) })) },
    hint: 'volatile disks and CD-ROMs have no image that OpenNebula could export',
  });
}

function announce(run: Run, plan: BackupPlan, inventory: Inventory): void {
  run.emit({ type: 'run.started', kind: 'backup', vmId: plan.vmId, vmName: plan.vm.name });
  run.emit({ type: 'vm.planned', plan });
  for (const disk of skippedDisks(plan)) run.emit({ type: 'disk.skipped', diskId: disk.disk.diskId, reasons: disk.reasons });
  for (const body of inventory.missing) run.warn('METADATA_MISSING', `${body.name}: ${body.why}`);
}

function skippedDisks(plan: BackupPlan): DiskSkip[] {
  return plan.disks.filter((disk) => disk.verdict === 'skip');
}

async function openParents(
  deps: JobDeps,
  run: Run,
  scope: Scope,
  request: BackupRequest,
  point: RestorePoint | undefined,
  captures: readonly DiskCapture[],
  options: CallOptions,
): Promise<Map<DiskCapture, DiskParent>> {
  const parents = new Map<DiskCapture, DiskParent>();
  for (const capture of captures) {
    const parent = request.mode === 'full' ? full('FULL_REQUESTED') : await parentOf(deps, run, point, capture, options);
    scope.use(parent.reader);
    parents.set(capture, parent);
  }
  return parents;
}

/** One disk's failure ends the others at once: there will be no restore point, and the guest should not carry snapshots for it. */
async function storeDisks(
  deps: JobDeps,
  run: Run,
  writer: RestorePointWriter,
  plan: BackupPlan,
  captured: readonly CapturedDisk[],
  parents: ReadonlyMap<DiskCapture, DiskParent>,
  request: BackupRequest,
  options: CallOptions,
): Promise<DiskReport[]> {
  const disks: DiskReport[] = [];
  const failed = new AbortController();
  const signal = options.signal === undefined ? failed.signal : AbortSignal.any([options.signal, failed.signal]);
  await forEachConcurrent(
    exportDisks(deps, run, plan.vm, captured, { signal }),
    async (exported) => {
      try {
        const parent = parents.get(exported.capture) ?? full('NO_PARENT');
        disks.push(await storeDisk(deps, run, writer, exported, parent, request, { signal }));
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    },
    { concurrency: request.parallelDisks },
  );
  return disks.sort((a, b) => a.diskId - b.diskId);
}

async function storeMetadata(writer: RestorePointWriter, inventory: Inventory, options: CallOptions): Promise<void> {
  for (const [name, body] of inventory.metadata) await writer.writeMetadata(name, new TextEncoder().encode(body), options);
}

/** What the product says of this point in its manifest: who, where, how, and what is not in it. */
function annotations(deps: JobDeps, run: Run, inventory: Inventory, plan: BackupPlan, captured: readonly CapturedDisk[]): RestorePoint['annotations'] {
  const { vm } = plan;
  return {
    cloud: { endpoint: deps.cloud.endpoint.href, version: inventory.version },
    vm: {
      id: vm.id,
      name: vm.name,
      uuid: vm.uuid ?? null,
      user: vm.userName,
      group: vm.groupName,
      state: vm.state,
      lcmState: vm.lcmState,
      startTime: vm.startTime,
    },
    captureSpreadMs: spreadMs(captured),
    skippedDisks: skippedDisks(plan).map((disk) => ({
      diskId: disk.disk.diskId,
      target: disk.disk.target,
      sizeMiB: disk.disk.sizeMiB,
      reasons: disk.reasons.map((reason) => reason.code),
    })),
    warnings: run.warnings.map((warning) => ({ ...warning })),
  };
}

function spreadMs(captured: readonly CapturedDisk[]): number {
  const times = captured.map((disk) => disk.capturedAt.getTime());
  return Math.max(...times) - Math.min(...times);
}

function report(
  run: Run,
  plan: BackupPlan,
  point: RestorePoint,
  captured: readonly CapturedDisk[],
  disks: readonly DiskReport[],
  startedMs: number,
): BackupReport {
  return {
    kind: 'backup',
    runId: run.id,
    vmId: plan.vmId,
    vmName: plan.vm.name,
    pointId: point.id,
    parentId: point.parentId,
    group: point.group,
    mode: point.mode,
    disks,
    skipped: skippedDisks(plan).map((disk) => ({ diskId: disk.disk.diskId, target: disk.disk.target, reasons: disk.reasons })),
    captureSpreadMs: spreadMs(captured),
    durationMs: run.elapsedMs(startedMs),
    stats: point.stats,
    warnings: run.warnings,
    residue: run.residue,
  };
}
