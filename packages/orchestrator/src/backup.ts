import type { RestorePointSpec, RestorePointWriter } from '@onevault/backup-format';
import { type CallOptions, forEachConcurrent } from '@onevault/base';
import { awaitRest } from './await-rest.ts';
import { type BackupJob, backupReport, pointAnnotations, type StoredDisks, skippedDisks } from './backup-report.ts';
import { type CapturedDisk, captureDisks, exportDisks } from './capture.ts';
import { watchGuest } from './guest-state.ts';
import { type Inventory, takeInventory } from './inventory.ts';
import { newRunId } from './names.ts';
import { chooseParents, type Parents } from './parent.ts';
import { planBackup } from './plan/plan-backup.ts';
import { promisedCaptures } from './plan/promised-captures.ts';
import { readSurroundings } from './plan/surroundings.ts';
import type { JobDeps } from './ports.ts';
import type { BackupReport, DiskReport } from './report.ts';
import type { BackupRequest } from './request.ts';
import { groupOf } from './restore-point.ts';
import { inRun } from './run.ts';
import { storeDisk } from './store-disk.ts';

/**
 * Backs up one VM: inventory, plan, snapshots of all disks, then disk by disk export, attach, scan, store and give back; metadata; and last the manifest,
 * which is what makes the restore point exist. Fails whole: a restore point never lacks a disk that the plan promised.
 */
export async function backupVm(deps: JobDeps, request: BackupRequest, options: CallOptions = {}): Promise<BackupReport> {
  const id = newRunId(deps.clock.now(), deps.randomBytes);
  await awaitRest(deps, id, request.vmId, options);
  const keepSecrets = deps.repository.config.encryption !== undefined;
  const inventory = await takeInventory(deps.cloud, request.vmId, { keepSecrets }, options);
  const plan = planBackup(inventory.vm, { ...request, proxyVm: deps.proxyVm }, await readSurroundings(deps.cloud, deps.proxyVm, options));
  const captures = promisedCaptures(plan);
  const facts = { id, kind: 'backup', about: `VM ${plan.vmId} ${plan.vm.name}` } as const;
  return inRun(
    deps,
    facts,
    options,
    (run) => backup({ deps, run, request, inventory, plan, captures, options }),
    (run) => watchGuest(run, deps.cloud, plan.vm, 'after the run failed'),
  );
}

async function backup(job: BackupJob): Promise<BackupReport> {
  const { deps, run, request, plan, captures, options } = job;
  const startedMs = run.clock.monotonicMs();
  announce(job);

  const parents = await chooseParents(deps, run, { mode: request.mode, group: groupOf(plan.vm), captures }, options);
  const captured = await captureDisks(run, plan.vm, captures, options);
  await watchGuest(run, deps.cloud, plan.vm, 'after the capture');
  const writer = run.use(await deps.repository.begin(pointSpec(job, parents, captured), options));
  const stored = await storeDisks(job, writer, captured, parents);

  await run.step('metadata', {}, () => storeMetadata(writer, job.inventory, options));
  const point = await run.step('commit', {}, async () => {
    await deps.beforeCommit?.(options);
    return writer.commit({ annotations: pointAnnotations(job, stored) }, options);
  });
  run.emit({ type: 'restore-point.committed', pointId: point.id });
  await run.unwind();
  await watchGuest(run, deps.cloud, plan.vm, 'at the end of the run');
  return backupReport(job, point, stored, startedMs);
}

function announce({ run, plan, inventory }: BackupJob): void {
  run.emit({ type: 'run.started', kind: 'backup', vmId: plan.vmId, vmName: plan.vm.name });
  run.emit({ type: 'vm.planned', plan });
  for (const disk of skippedDisks(plan)) run.emit({ type: 'disk.skipped', diskId: disk.disk.diskId, reasons: disk.reasons });
  for (const { name, code, why, wanted } of inventory.metadata.missing) if (wanted) run.warn(code, `${name}: ${why}`);
}

function pointSpec({ run, plan }: BackupJob, parents: Parents, captured: readonly CapturedDisk[]): RestorePointSpec {
  const capturedAt = captured[0]?.capturedAt ?? run.clock.now();
  return {
    group: groupOf(plan.vm),
    runId: run.id,
    capturedAt: capturedAt.toISOString(),
    mode: parents.mode,
    ...(parents.point && { parentId: parents.point.id }),
  };
}

/** One disk's failure ends the others at once: there will be no restore point, and the guest should not carry snapshots for it. */
async function storeDisks(job: BackupJob, writer: RestorePointWriter, captured: readonly CapturedDisk[], parents: Parents): Promise<StoredDisks> {
  const { deps, run, request, plan, options } = job;
  const reports: DiskReport[] = [];
  const capturedAt: Date[] = [];
  const failed = new AbortController();
  const signal = options.signal === undefined ? failed.signal : AbortSignal.any([options.signal, failed.signal]);
  await forEachConcurrent(
    exportDisks(deps, run, plan.vm, captured, { signal }),
    async (exported) => {
      try {
        reports.push(await storeDisk(deps, run, writer, exported, parents.of(exported.capture), request, { signal }));
        capturedAt.push(exported.capturedAt);
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    },
    { concurrency: request.parallelDisks },
  );
  return { reports: reports.sort((a, b) => a.diskId - b.diskId), capturedAt };
}

async function storeMetadata(writer: RestorePointWriter, inventory: Inventory, options: CallOptions): Promise<void> {
  for (const [name, body] of inventory.metadata.files) await writer.writeMetadata(name, new TextEncoder().encode(body), options);
}
