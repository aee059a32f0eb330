import type { Disk, Vm } from '@onevault/one-client';
import { captureFacts } from './capture-facts.ts';
import { chooseCapture } from './choose-capture.ts';
import { estimateCapture, totalEstimate } from './estimate.ts';
import type { BackupPlan, DiskPlan, PlanRequest, Reason } from './plan-model.ts';
import { preflight } from './preflight.ts';
import { reason } from './reason.ts';
import { type RestingState, standingOf } from './resting-state.ts';
import type { Surroundings } from './surroundings.ts';
import { vmNotes, vmRefusals } from './vm-reasons.ts';

/**
 * Decides, from what was read of the cloud and nothing else, what happens to each disk and why. Pure: the same reading and request give the same plan.
 * What could not be read is no silent yes: it stands in the plan as an assumption.
 */
export function planBackup(vm: Vm, request: PlanRequest, surroundings: Surroundings): BackupPlan {
  const standing = standingOf(vm);
  const state = standing.kind === 'rest' ? standing.state : standing.kind === 'busy' ? standing.endsIn : undefined;
  const chosen = vm.disks.map((disk) => planDisk(vm, disk, { state: state ?? 'RUNNING', request, surroundings }));
  const checked = preflight(
    vm,
    chosen.map((entry) => entry.plan),
    request,
    surroundings,
  );
  const reasons = [...vmRefusals(vm, standing, request), ...checked.refusals];
  const notes = [...vmNotes(vm, standing), ...checked.notes];
  const { disks } = checked;
  return {
    vm,
    vmId: vm.id,
    verdict: verdictOf(reasons, notes, disks),
    state,
    reasons,
    notes,
    assumptions: unique([...chosen.flatMap((entry) => entry.assumptions), ...checked.assumptions]),
    disks,
    estimate: totalEstimate(disks),
  };
}

interface PlanContext {
  readonly state: RestingState;
  readonly request: PlanRequest;
  readonly surroundings: Surroundings;
}

interface PlannedDisk {
  readonly plan: DiskPlan;
  readonly assumptions: readonly Reason[];
}

function planDisk(vm: Vm, disk: Disk, { state, request, surroundings }: PlanContext): PlannedDisk {
  const skipped = skipReason(disk, request);
  const { imageId } = disk;
  if (skipped !== undefined) return { plan: { verdict: 'skip', disk, reasons: [skipped] }, assumptions: [] };
  if (imageId === undefined) return { plan: { verdict: 'skip', disk, reasons: [VOLATILE] }, assumptions: [] };
  const facts = captureFacts(vm, disk, state, surroundings.version);
  const choice = chooseCapture(facts, { capture: request.capture, allowLongFreeze: request.allowLongFreeze === true });
  if ('refused' in choice) return { plan: { verdict: 'refuse', disk, reasons: choice.refused }, assumptions: [] };
  const { assumptions, ...capture } = choice;
  return { plan: { verdict: 'capture', disk, imageId, ...capture, estimate: estimateCapture(facts, capture, disk.sizeMiB) }, assumptions };
}

const VOLATILE = reason('SKIP_VOLATILE', 'volatile: it has no image, so OpenNebula cannot export it; it comes back empty');

function skipReason(disk: Disk, request: PlanRequest): Reason | undefined {
  if (request.excludeDisks.includes(disk.diskId)) return reason('SKIP_EXCLUDED', 'excluded by request; it comes back empty');
  if (disk.imageId === undefined || /^(fs|swap)$/i.test(disk.type)) return VOLATILE;
  if (/CDROM$/.test(disk.type)) return reason('SKIP_CDROM', 'CD-ROM: only the reference to its image is kept');
  // 7.2 and later: a directory of the host that the guest mounts (virtiofs); it can be neither saved nor attached.
  if (disk.type === 'FILESYSTEM') return reason('SKIP_FILESYSTEM', 'a file system of the host, not a disk: only the reference to its image is kept');
  return undefined;
}

function verdictOf(reasons: readonly Reason[], notes: readonly Reason[], disks: readonly DiskPlan[]): BackupPlan['verdict'] {
  const captured = disks.filter((disk) => disk.verdict === 'capture');
  if (reasons.length > 0 || captured.length === 0 || disks.some((disk) => disk.verdict === 'refuse')) return 'impossible';
  return notes.length > 0 || captured.some((disk) => disk.degraded) ? 'degraded' : 'ok';
}

function unique(reasons: readonly Reason[]): Reason[] {
  return [...new Map(reasons.map((entry) => [`${entry.code} ${entry.text}`, entry])).values()];
}
