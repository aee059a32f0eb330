import type { Clock } from '@onevault/base';
import type { JobEvent, StepName } from '@onevault/orchestrator';
import { type DiskProgressEvent, diskStandings } from './disk-progress.ts';
import type { Output } from './output.ts';
import { planLines } from './plan-text.ts';
import { type ProgressView, progressView } from './progress-view.ts';
import { printable } from './table.ts';
import { formatBytes, formatDuration } from './units.ts';

/** What the events of a run look like to a person. Disposing it takes the bars off the terminal. */
export interface JobRenderer extends Disposable {
  emit(event: JobEvent): void;
}

export function jobText(output: Output, clock: Clock): JobRenderer {
  const view = progressView(output, clock);
  const standing = diskStandings(clock);
  return {
    emit(event) {
      if (event.type === 'disk.progress') view.show(standing(event));
      else showEvent(view, event);
    },
    [Symbol.dispose]: () => view[Symbol.dispose](),
  };
}

function showEvent(view: ProgressView, event: Exclude<JobEvent, DiskProgressEvent>): void {
  switch (event.type) {
    case 'run.started':
      view.log(startText(event));
      return;
    case 'vm.waiting':
      view.log(`VM ${event.vmId} ${event.vmName} is ${event.state}: waiting until nobody is at work on it, for at most ${formatDuration(event.limitMs)}`);
      return;
    case 'vm.planned':
      for (const line of planLines(event.plan)) view.log(`  ${line}`);
      return;
    case 'disk.mode':
      view.log(`  disk ${event.diskId} ${event.mode}: ${modeText(event.reason)}`);
      return;
    case 'step.finished':
      showStep(view, event);
      if (ENDS_PROGRESS.has(event.step) && event.diskId !== undefined) view.finish(`disk ${event.diskId}`);
      return;
    case 'disk.finished':
      view.finish(`disk ${event.diskId}`);
      view.log(
        `  disk ${event.diskId} read ${formatBytes(event.readBytes)} in ${formatDuration(event.durationMs)}: ${event.stats.changedBlocks} blocks changed, ${formatBytes(event.stats.storedBytes)} stored`,
      );
      return;
    case 'warning':
      view.warn(`${event.message} (${event.code})`);
      return;
    case 'snapshot.standing':
      for (const disk of event.disks) view.warn(`disk ${disk.diskId}, snapshot ${disk.snapshotId}: ${STANDING_TEXT[event.action][disk.state]}`);
      return;
    case 'cleanup.failed':
      view.warn(`${event.object} could not be taken back: ${event.error.message}`);
      return;
    case 'step.failed':
      if (event.diskId !== undefined) view.finish(`disk ${event.diskId}`);
      return;
    case 'run.finished':
      view[Symbol.dispose]();
      for (const kept of event.kept ?? []) view.warn(`kept in OpenNebula, neither whole nor removed: ${kept}`);
      for (const residue of event.residue) view.warn(`left in OpenNebula: ${residue}`);
      return;
    case 'step.started':
    case 'disk.skipped':
    case 'restore-point.committed':
    case 'vm.restored':
      return;
  }
}

function startText(event: Extract<JobEvent, { readonly type: 'run.started' }>): string {
  switch (event.kind) {
    case 'backup':
      return `VM ${event.vmId} ${event.vmName}: backup, run ${event.runId}`;
    case 'restore':
      return `restore of ${event.pointId} as VM ${event.vmName}, run ${event.runId}`;
    case 'drill':
      return `drill of ${event.pointId} of VM ${event.vmName}, run ${event.runId}`;
    case 'restore-disk':
      return `restore of disk ${event.diskId} of ${event.pointId} as image ${event.imageName}, run ${event.runId}`;
    case 'snapshot':
      return `VM ${event.vmId} ${event.vmName}: ${ACTION_TEXT[event.action]}, run ${event.runId}`;
    case 'swap':
      return `VM ${event.vmId} ${event.vmName}: ${event.action === 'undo' ? 'undo' : `restore in place of ${event.pointId}`}, run ${event.runId}`;
    case 'delta':
      return `image ${event.imageId} ${event.imageName} is written over with ${event.pointId}, run ${event.runId}`;
  }
}

const ACTION_TEXT = { create: 'snapshot', revert: 'revert to a snapshot', delete: 'deletion of snapshots' } as const;

const STANDING_TEXT = {
  revert: { done: 'reverted', 'not-done': 'not reverted', unknown: 'reverted or not, that cannot be seen' },
  delete: { done: 'deleted', 'not-done': 'still there', unknown: 'deleted or not, that cannot be seen' },
} as const;

/** One line for each thing that was done to the cloud or the repository; a step that is part of another is not here. */
const STEP_TEXT: Readonly<Partial<Record<StepName, string>>> = {
  inventory: 'inventory read',
  snapshot: 'snapshot taken',
  export: 'exported as a temporary image',
  attach: 'attached to the proxy VM',
  'delete-snapshot': 'snapshot deleted',
  detach: 'taken back',
  'delete-image': 'taken back',
  metadata: 'definition saved',
  commit: 'restore point committed',
  'allocate-image': 'image created',
  write: 'written',
  verify: 'read back and compared',
  'save-image': 'saved as its image',
  'attach-to-vm': 'attached to',
  'set-persistence': 'persistence set as it was',
  'allocate-template': 'template created',
  instantiate: 'VM created',
  'await-life': 'sign of life seen',
  'delete-template': 'taken back',
  'terminate-vm': 'taken back',
  'stop-vm': 'stopped',
  'start-vm': 'running again',
  'revert-snapshot': 'reverted',
  'save-disk': 'saved as an image',
  'swap-disk': 'exchanged',
  'swap-back': 'brought back',
  delta: 'compared, and written where it differs',
};

const ENDS_PROGRESS: ReadonlySet<StepName> = new Set(['scan', 'write', 'verify', 'delta']);

const MODE_TEXT: Readonly<Record<string, string>> = {
  PARENT_TRUSTED: 'only what differs from the last restore point is stored',
  NO_PARENT: 'there is no earlier restore point',
  FULL_REQUESTED: 'asked for with --full',
};

/** Every reason code is shown; the ones met every day also have words. */
function modeText(reason: string): string {
  const text = MODE_TEXT[reason];
  return text === undefined ? reason : `${text} (${reason})`;
}

function showStep(view: ProgressView, event: Extract<JobEvent, { readonly type: 'step.finished' }>): void {
  const text = STEP_TEXT[event.step];
  if (text === undefined) return;
  const disk = event.diskId === undefined ? '' : `disk ${event.diskId} `;
  const object = event.diskId !== undefined || event.object === undefined ? '' : `: ${printable(event.object)}`;
  view.log(`  ${disk}${text}${object}, ${formatDuration(event.durationMs)}`);
}
