import type { RunDetail } from '../api/answers.ts';
import { formatBytes, formatDuration, formatShare } from '../show/format.ts';
import { Panel } from '../show/page.tsx';
import { isOver } from './is-over.ts';
import { ProgressBar } from './live-runs.tsx';
import { type FoldedDisk, type FoldedRun, paceOf } from './run-fold.ts';

/** Where each disk is: bytes, pace, what changed. From the events; where there are none any more, from the run as it is kept. */
export function RunDisks({ run, folded }: { readonly run: RunDetail; readonly folded: FoldedRun }) {
  const disks = folded.disks.size > 0 ? [...folded.disks.values()] : run.progress.map(asKept);
  if (disks.length === 0) return null;
  const tone = run.state === 'failed' ? 'bad' : isOver(run) ? 'ok' : 'busy';
  return (
    <Panel title="Disks">
      {disks
        .toSorted((a, b) => a.diskId - b.diskId)
        .map((disk) => (
          <div key={disk.diskId} data-disk={disk.diskId}>
            <div className="ov-row" style={{ justifyContent: 'space-between' }}>
              <span>
                <strong>Disk {disk.diskId}</strong> <span className="ov-dim">{disk.phase}</span>
              </span>
              <span className="ov-num">
                {formatShare(disk.doneBytes, disk.totalBytes)} · {formatBytes(disk.doneBytes)} of {formatBytes(disk.totalBytes)}
              </span>
            </div>
            <ProgressBar doneBytes={disk.doneBytes} totalBytes={disk.totalBytes} label={`disk ${disk.diskId}`} tone={tone} />
            <div className="ov-dim ov-num">
              {[modeOf(disk), changeOf(disk), isOver(run) ? undefined : paceText(disk)].filter((part) => part !== undefined).join(' · ')}
            </div>
          </div>
        ))}
    </Panel>
  );
}

function asKept({ diskId, phase, doneBytes, totalBytes }: RunDetail['progress'][number]): FoldedDisk {
  const unknown = { changedBytes: undefined, newBytes: undefined, storedBytes: undefined, mode: undefined, modeReason: undefined };
  return { diskId, phase, doneBytes, totalBytes, ...unknown, since: { atMs: 0, doneBytes }, atMs: 0 };
}

function modeOf({ mode, modeReason }: FoldedDisk): string | undefined {
  return mode === undefined ? undefined : `${mode}${modeReason === undefined ? '' : ` (${modeReason})`}`;
}

function changeOf({ changedBytes, newBytes, storedBytes }: FoldedDisk): string | undefined {
  const parts = [
    changedBytes === undefined ? undefined : `${formatBytes(changedBytes)} changed`,
    newBytes === undefined ? undefined : `${formatBytes(newBytes)} new`,
    storedBytes === undefined ? undefined : `${formatBytes(storedBytes)} stored`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join(', ');
}

function paceText(disk: FoldedDisk): string | undefined {
  const pace = paceOf(disk);
  if (pace === undefined || disk.doneBytes >= disk.totalBytes) return undefined;
  return `${formatBytes(pace.bytesPerSecond)}/s, about ${formatDuration(pace.leftMs)} left`;
}
