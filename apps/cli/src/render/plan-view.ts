import { vmStateName } from '@onevault/one-client';
import type { BackupPlan, CaptureEstimate, DiskPlan } from '@onevault/orchestrator';
import type { Output } from './output.ts';
import { addEstimates, assumptionLines, planDocument, problemLines } from './plan-text.ts';
import { planLine } from './summary-line.ts';
import { type Column, printable, renderTable } from './table.ts';
import { formatBytes, formatDuration } from './units.ts';

const MIB = 1024 * 1024;

export interface PlanSummary {
  readonly vms: number;
  readonly ok: number;
  readonly degraded: number;
  readonly impossible: number;
  readonly estimate: CaptureEstimate;
}

/** Shows plans as they are made: nothing of a VM is kept but, for the JSON document, what is printed of it. */
export interface PlanView {
  add(plan: BackupPlan): void;
  /** The last line, and the document. */
  finish(): PlanSummary;
}

/** `brief`: a line for each VM and what is wrong with it, for many VMs; else a table of its disks. */
export function planView(output: Output, options: { readonly brief: boolean }): PlanView {
  const documents: object[] = [];
  const counts = { ok: 0, degraded: 0, impossible: 0 };
  const assumed = new Set<string>();
  let estimate: CaptureEstimate = { readBytes: 0, copyBytes: 0, busyMs: 0, pauseMs: 0 };
  if (options.brief) output.line(BRIEF_HEAD);
  return {
    add(plan) {
      counts[plan.verdict]++;
      estimate = addEstimates(estimate, plan.estimate);
      const lines = options.brief ? [briefLine(plan)] : [headLine(plan), ...diskTable(plan)];
      for (const line of [...lines, ...problemLines(plan).map((problem) => `  ${problem}`)]) output.line(line);
      for (const line of assumptionLines(plan)) assumed.add(line);
      if (output.mode === 'text') return;
      const document = planDocument(plan);
      documents.push(document);
      if (output.mode === 'jsonl') output.document('plan.vm', { plan: document });
    },
    finish() {
      const summary = { vms: counts.ok + counts.degraded + counts.impossible, ...counts, estimate };
      for (const line of assumed) output.note(line);
      output.line(planLine(summary));
      output.document('plan', { plans: documents, summary });
      return summary;
    },
  };
}

const VERDICT_TEXT: Readonly<Record<BackupPlan['verdict'], string>> = {
  ok: 'ok',
  degraded: 'degraded: it can be backed up, but not as well as it should',
  impossible: 'impossible: it would be refused',
};

function headLine(plan: BackupPlan): string {
  return `VM ${plan.vmId} ${printable(plan.vm.name)} ${vmStateName(plan.vm)}: ${VERDICT_TEXT[plan.verdict]}`;
}

const DISK_COLUMNS: readonly Column<DiskPlan>[] = [
  { name: 'DISK', align: 'right', value: (plan) => plan.disk.diskId },
  { name: 'TARGET', value: (plan) => plan.disk.target },
  { name: 'SIZE', align: 'right', value: (plan) => formatBytes(plan.disk.sizeMiB * MIB) },
  { name: 'DRIVER', value: (plan) => plan.disk.tmMad },
  { name: 'METHOD', value: (plan) => (plan.verdict === 'capture' ? plan.method : plan.verdict === 'skip' ? 'skipped' : 'refused') },
  { name: 'CONSISTENCY', value: (plan) => (plan.verdict === 'capture' ? plan.consistency : undefined) },
  { name: 'PAUSE', align: 'right', value: (plan) => (plan.verdict === 'capture' ? pauseText(plan.pause, plan.estimate) : undefined) },
  { name: 'READ', align: 'right', value: (plan) => (plan.verdict === 'capture' ? formatBytes(plan.estimate.readBytes) : undefined) },
  { name: 'COPY', align: 'right', value: (plan) => (plan.verdict === 'capture' ? formatBytes(plan.estimate.copyBytes) : undefined) },
  { name: 'BUSY', align: 'right', value: (plan) => (plan.verdict === 'capture' ? formatDuration(plan.estimate.busyMs) : undefined) },
  { name: 'WHY', value: (plan) => plan.reasons.map((reason) => reason.code).join(' ') },
];

function pauseText(pause: Extract<DiskPlan, { readonly verdict: 'capture' }>['pause'], estimate: CaptureEstimate): string {
  if (pause === 'none') return 'none';
  return pause === 'moment' ? `< ${formatDuration(estimate.pauseMs)}` : formatDuration(estimate.pauseMs);
}

function diskTable(plan: BackupPlan): string[] {
  return renderTable(DISK_COLUMNS, plan.disks).map((line) => `  ${line}`);
}

/** Widths are fixed: the first line is printed long before the last VM is read. A cell that does not fit pushes the rest. */
const BRIEF: readonly { readonly name: string; readonly width: number; readonly value: (plan: BackupPlan) => string }[] = [
  { name: 'ID', width: 7, value: (plan) => String(plan.vmId).padStart(7) },
  { name: 'NAME', width: 24, value: (plan) => printable(plan.vm.name) },
  { name: 'STATE', width: 12, value: (plan) => vmStateName(plan.vm) },
  { name: 'VERDICT', width: 10, value: (plan) => plan.verdict },
  { name: 'READ', width: 10, value: (plan) => formatBytes(plan.estimate.readBytes).padStart(10) },
  { name: 'COPY', width: 10, value: (plan) => formatBytes(plan.estimate.copyBytes).padStart(10) },
  { name: 'BUSY', width: 12, value: (plan) => formatDuration(plan.estimate.busyMs).padStart(12) },
  { name: 'METHODS', width: 0, value: (plan) => [...new Set(plan.disks.map((disk) => (disk.verdict === 'capture' ? disk.method : disk.verdict)))].join(' ') },
];
const RIGHT: ReadonlySet<string> = new Set(['ID', 'READ', 'COPY', 'BUSY']);
const BRIEF_HEAD = BRIEF.map(({ name, width }) => (RIGHT.has(name) ? name.padStart(width) : name.padEnd(width)))
  .join('  ')
  .trimEnd();

function briefLine(plan: BackupPlan): string {
  return BRIEF.map(({ width, value }) => value(plan).padEnd(width))
    .join('  ')
    .trimEnd();
}
