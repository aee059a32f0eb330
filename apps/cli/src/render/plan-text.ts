import { vmStateName } from '@onevault/one-client';
import type { BackupPlan, CaptureEstimate, DiskPlan, GuestPause, Reason } from '@onevault/orchestrator';
import { printable } from './table.ts';
import { formatBytes } from './units.ts';

const MIB = 1024 * 1024;

/** A plan in a few lines, one a disk, reasons in words: `disk 0 vda 10.0 GiB: snapshot, crash-consistent (…)`. */
export function planLines(plan: BackupPlan): string[] {
  return [
    ...plan.reasons.map((reason) => `not possible: ${inWords(reason)}`),
    ...plan.notes.map((note) => `note: ${inWords(note)}`),
    ...plan.disks.flatMap(diskLines),
  ].map(printable);
}

/** What is not as it should be, each with what to do about it. */
export function problemLines(plan: BackupPlan): string[] {
  const about = (reasons: readonly Reason[], where: string): string[] =>
    reasons.flatMap((reason) => (reason.remedy === undefined ? [] : [`${where}${inWords(reason)}`, `  remedy: ${reason.remedy}`]));
  const disks = plan.disks.flatMap((disk) => (disk.verdict === 'skip' ? [] : about(disk.reasons, `disk ${disk.disk.diskId}: `)));
  return [...about(plan.reasons, ''), ...about(plan.notes, ''), ...disks].map(printable);
}

export function assumptionLines(plan: BackupPlan): string[] {
  return plan.assumptions.map((assumed) => printable(`taken for granted: ${inWords(assumed)}`));
}

function inWords({ text, code }: Reason): string {
  return `${text} (${code})`;
}

const PAUSE_TEXT: Readonly<Record<GuestPause, string>> = {
  none: '',
  moment: '; the guest stands still for a moment',
  'whole-copy': '; the guest stands still while the whole disk is copied',
};

function diskLines(plan: DiskPlan): string[] {
  const { disk } = plan;
  const head = `disk ${disk.diskId} ${disk.target} ${formatBytes(disk.sizeMiB * MIB)}`;
  const why = plan.reasons.map(inWords).join('; ');
  switch (plan.verdict) {
    case 'capture':
      return [
        `${head}: ${plan.method}, ${plan.consistency}${PAUSE_TEXT[plan.pause]}${why === '' ? '' : `: ${why}`}`,
        ...plan.residue.map((residue) => `disk ${disk.diskId} leaves behind: ${residue}`),
      ];
    case 'skip':
      return [`${head}: skipped: ${why}`];
    case 'refuse':
      return [`${head}: refused: ${why}`];
  }
}

/** A plan as data: what is decided and why, without the VM's body, which may hold other people's secrets. */
export function planDocument(plan: BackupPlan): object {
  const { vm } = plan;
  return {
    vm: { id: vm.id, name: vm.name, state: vmStateName(vm), hypervisor: vm.history.at(-1)?.vmMad ?? null },
    plannedFor: plan.state ?? null,
    verdict: plan.verdict,
    reasons: plan.reasons,
    notes: plan.notes,
    assumptions: plan.assumptions,
    disks: plan.disks.map(diskDocument),
    estimate: plan.estimate,
  };
}

function diskDocument(plan: DiskPlan): object {
  const { disk, verdict, reasons } = plan;
  return {
    diskId: disk.diskId,
    target: disk.target,
    sizeBytes: disk.sizeMiB * MIB,
    imageId: disk.imageId ?? null,
    driver: disk.tmMad ?? null,
    format: disk.format ?? null,
    verdict,
    reasons,
    ...(plan.verdict === 'capture' && captureDocument(plan)),
  };
}

function captureDocument(plan: Extract<DiskPlan, { readonly verdict: 'capture' }>): object {
  const { method, consistency, pause, moment, fallback, degraded, residue, estimate } = plan;
  return { method, consistency, pause, moment, fallback: fallback?.method ?? null, degraded, residue, estimate };
}

/** Several plans together. */
export function addEstimates(a: CaptureEstimate, b: CaptureEstimate): CaptureEstimate {
  return {
    readBytes: a.readBytes + b.readBytes,
    copyBytes: a.copyBytes + b.copyBytes,
    busyMs: a.busyMs + b.busyMs,
    pauseMs: a.pauseMs + b.pauseMs,
  };
}
