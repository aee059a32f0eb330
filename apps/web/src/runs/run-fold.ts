import type { StreamEvent } from '@onevault/api';
import { type LogLine, logLineOf } from './log-line.ts';

export interface FoldedStep {
  readonly step: string;
  readonly diskId: number | undefined;
  readonly object: string | undefined;
  readonly startedMs: number;
  readonly durationMs: number | undefined;
  readonly outcome: 'running' | 'done' | 'failed';
  readonly code: string | undefined;
}

export interface FoldedDisk {
  readonly diskId: number;
  readonly phase: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly changedBytes: number | undefined;
  /** Of a disk that is done. */
  readonly newBytes: number | undefined;
  readonly storedBytes: number | undefined;
  readonly mode: string | undefined;
  readonly modeReason: string | undefined;
  /** Where it was a while ago: what the rate is measured from. */
  readonly since: { readonly atMs: number; readonly doneBytes: number };
  readonly atMs: number;
}

/** All that a run's events say, folded one by one. */
export interface FoldedRun {
  readonly lastId: string | undefined;
  readonly steps: readonly FoldedStep[];
  readonly disks: ReadonlyMap<number, FoldedDisk>;
  readonly log: readonly LogLine[];
  /** Lines that no longer fit. */
  readonly dropped: number;
  readonly pointId: string | undefined;
  readonly outcome: string | undefined;
}

export const EMPTY_RUN: FoldedRun = { lastId: undefined, steps: [], disks: new Map(), log: [], dropped: 0, pointId: undefined, outcome: undefined };

/** So many lines are held: a run has some hundred. */
const MOST_LINES = 5000;
/** The rate is that of the last so many ms. */
const RATE_MS = 15_000;

export function foldEvent(run: FoldedRun, event: StreamEvent): FoldedRun {
  if (event.id === run.lastId) return run; // comes again after a reconnection
  const line = logLineOf(event);
  const log = line === undefined ? run.log : [...run.log, line];
  const dropped = Math.max(0, log.length - MOST_LINES);
  return { ...run, ...foldData(run, event), lastId: event.id, log: log.slice(dropped), dropped: run.dropped + dropped };
}

function foldData(run: FoldedRun, { type, time, data }: StreamEvent): Partial<FoldedRun> {
  const atMs = new Date(time).getTime();
  switch (type) {
    case 'run.taken':
      // A second attempt begins anew; the log keeps the first.
      return { steps: [], disks: new Map(), pointId: undefined, outcome: undefined };
    case 'step.started':
      return { steps: [...run.steps, { ...stepOf(data), startedMs: atMs, durationMs: undefined, outcome: 'running', code: undefined }] };
    case 'step.finished':
    case 'step.failed':
      return { steps: endStep(run.steps, data, type === 'step.failed') };
    case 'disk.mode':
      return { disks: withDisk(run.disks, data, atMs, (disk) => ({ ...disk, mode: text(data['mode']), modeReason: text(data['reason']) })) };
    case 'disk.progress':
      return { disks: withDisk(run.disks, data, atMs, (disk) => advanced(disk, data, atMs)) };
    case 'disk.finished':
      return { disks: withDisk(run.disks, data, atMs, (disk) => finished(disk, data, atMs)) };
    case 'restore-point.committed':
      return { pointId: text(data['pointId']) };
    case 'run.finished':
      return { outcome: text(data['outcome']) };
    default:
      return {};
  }
}

function stepOf(data: StreamEvent['data']): Pick<FoldedStep, 'step' | 'diskId' | 'object'> {
  return { step: text(data['step']) ?? '?', diskId: number(data['diskId']), object: text(data['object']) };
}

/** Ends the newest running step of that name and disk. */
function endStep(steps: readonly FoldedStep[], data: StreamEvent['data'], failed: boolean): readonly FoldedStep[] {
  const ended = stepOf(data);
  const index = steps.findLastIndex(
    ({ step, diskId, object, outcome }) => outcome === 'running' && step === ended.step && diskId === ended.diskId && object === ended.object,
  );
  return steps.map((step, at) =>
    at === index ? { ...step, durationMs: number(data['durationMs']), outcome: failed ? 'failed' : 'done', code: text(data['code']) } : step,
  );
}

function withDisk(
  disks: ReadonlyMap<number, FoldedDisk>,
  data: StreamEvent['data'],
  atMs: number,
  change: (disk: FoldedDisk) => FoldedDisk,
): ReadonlyMap<number, FoldedDisk> {
  const diskId = number(data['diskId']);
  if (diskId === undefined) return disks;
  const fresh: FoldedDisk = {
    diskId,
    phase: 'waiting',
    doneBytes: 0,
    totalBytes: 0,
    changedBytes: undefined,
    newBytes: undefined,
    storedBytes: undefined,
    mode: undefined,
    modeReason: undefined,
    since: { atMs, doneBytes: 0 },
    atMs,
  };
  return new Map(disks).set(diskId, change(disks.get(diskId) ?? fresh));
}

function advanced(disk: FoldedDisk, data: StreamEvent['data'], atMs: number): FoldedDisk {
  const phase = text(data['phase']) ?? disk.phase;
  const doneBytes = number(data['doneBytes']) ?? disk.doneBytes;
  const since = phase !== disk.phase ? { atMs, doneBytes } : atMs - disk.since.atMs > 2 * RATE_MS ? { atMs: disk.atMs, doneBytes: disk.doneBytes } : disk.since;
  return {
    ...disk,
    phase,
    doneBytes,
    totalBytes: number(data['totalBytes']) ?? disk.totalBytes,
    changedBytes: number(data['changedBytes']) ?? disk.changedBytes,
    storedBytes: number(data['storedBytes']) ?? disk.storedBytes,
    since,
    atMs,
  };
}

/** Progress is told now and then, and not at the end: of a disk that is done all of it is done. */
function finished(disk: FoldedDisk, data: StreamEvent['data'], atMs: number): FoldedDisk {
  const totalBytes = number(data['sizeBytes']) ?? disk.totalBytes;
  const stats = typeof data['stats'] === 'object' && data['stats'] !== null ? (data['stats'] as Readonly<Record<string, unknown>>) : {};
  return {
    ...disk,
    phase: 'done',
    doneBytes: totalBytes,
    totalBytes,
    // What was new to the repository is what is known in the end; what changed was counted half-way.
    changedBytes: undefined,
    newBytes: number(stats['newBytes']),
    storedBytes: number(stats['storedBytes']) ?? disk.storedBytes,
    atMs,
  };
}

/** Bytes a second, and how long the rest of the phase takes at that; nothing while too little is known. */
export function paceOf({ doneBytes, totalBytes, since, atMs }: FoldedDisk): { readonly bytesPerSecond: number; readonly leftMs: number } | undefined {
  const tookMs = atMs - since.atMs;
  const read = doneBytes - since.doneBytes;
  if (tookMs < 1000 || read <= 0) return undefined;
  const bytesPerSecond = (1000 * read) / tookMs;
  return { bytesPerSecond, leftMs: (1000 * (totalBytes - doneBytes)) / bytesPerSecond };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
