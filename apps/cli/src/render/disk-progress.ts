import type { Clock } from '@onevault/base';
import type { JobEvent } from '@onevault/orchestrator';
import { Rate } from './disk-rates.ts';
import { formatBytes, formatDuration, formatPercent, formatRate } from './units.ts';

export type DiskProgressEvent = Extract<JobEvent, { readonly type: 'disk.progress' }>;

/** How far a stretch of work is, for whoever draws it. */
export interface Standing {
  /** What the bar is of: `disk 0`, `repository`. */
  readonly label: string;
  readonly phase: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number | undefined;
  readonly changedBytes: number | undefined;
  readonly storedBytes: number | undefined;
}

/** Turns progress events into standings: one rate for each phase of each disk. */
export function diskStandings(clock: Clock): (event: DiskProgressEvent) => Standing {
  const rates = new Map<string, Rate>();
  return (event) => {
    const key = `${event.diskId} ${event.phase}`;
    const rate = rates.get(key) ?? new Rate();
    rates.set(key, rate);
    return {
      label: `disk ${event.diskId}`,
      phase: event.phase,
      doneBytes: event.doneBytes,
      totalBytes: event.totalBytes,
      bytesPerSecond: rate.at(clock.monotonicMs(), event.doneBytes),
      changedBytes: event.changedBytes,
      storedBytes: event.storedBytes,
    };
  };
}

/** The words beside the bar: `43 %  1.2 GiB/s  new 12.0 MiB  stored 3.1 MiB  ETA 12.0 s`. */
export function standingText(standing: Standing): string {
  const { doneBytes, totalBytes, bytesPerSecond, changedBytes, storedBytes } = standing;
  const parts = [formatPercent(doneBytes, totalBytes).padStart(5)];
  if (bytesPerSecond !== undefined) parts.push(formatRate(bytesPerSecond));
  if (changedBytes !== undefined) parts.push(`changed ${formatBytes(changedBytes)}`);
  if (storedBytes !== undefined) parts.push(`stored ${formatBytes(storedBytes)}`);
  const left = totalBytes - doneBytes;
  if (bytesPerSecond !== undefined && bytesPerSecond > 0 && left > 0) parts.push(`ETA ${formatDuration((left / bytesPerSecond) * 1000)}`);
  return parts.join('  ');
}
