import type { Clock } from '@onevault/base';
import cliProgress from 'cli-progress';
import { type Standing, standingText } from './disk-progress.ts';
import { type Output, warningText } from './output.ts';

/** Where standings are shown, and lines in between. Closing it leaves the terminal as it was. */
export interface ProgressView extends Disposable {
  show(standing: Standing): void;
  /** This stretch is over. */
  finish(label: string): void;
  log(line: string): void;
  /** Said also when --quiet. */
  warn(text: string): void;
}

/** Bars on a terminal; lines, few enough for a log file, anywhere else; nothing when progress is not wanted. */
export function progressView(output: Output, clock: Clock): ProgressView {
  if (output.progress && output.stderr.isTTY === true) return barsView(output);
  return linesView(output, clock, output.progress ? LINE_EVERY_MS : undefined);
}

const LINE_EVERY_MS = 10_000;

/** One line a disk at most every ten seconds. */
function linesView(output: Output, clock: Clock, everyMs: number | undefined): ProgressView {
  const lastMs = new Map<string, number>();
  return {
    show(standing) {
      if (everyMs === undefined) return;
      const nowMs = clock.monotonicMs();
      const last = lastMs.get(standing.label);
      if (last === undefined) lastMs.set(standing.label, nowMs);
      if (last === undefined || nowMs - last < everyMs) return;
      lastMs.set(standing.label, nowMs);
      output.note(`  ${standing.label} ${standing.phase} ${standingText(standing)}`);
    },
    finish: (label) => void lastMs.delete(label),
    log: (line) => output.note(line),
    warn: (text) => output.warn(text),
    [Symbol.dispose]: () => undefined,
  };
}

const BAR_WIDTH = 24;

/** One bar a disk; finished ones stand full until all are, then they go: lines that stay are the log. */
function barsView(output: Output): ProgressView {
  let bars: cliProgress.MultiBar | undefined;
  const active = new Map<string, cliProgress.SingleBar>();
  const running = new Set<string>();
  const stop = (): void => {
    bars?.update(); // writes what was logged since the last redraw
    bars?.stop();
    bars = undefined;
    active.clear();
    running.clear();
  };
  return {
    show(standing) {
      bars ??= newBars(output);
      const bar = active.get(standing.label) ?? bars.create(standing.totalBytes, 0, { standing });
      active.set(standing.label, bar);
      running.add(standing.label);
      bar.setTotal(standing.totalBytes);
      bar.update(standing.doneBytes, { standing });
    },
    finish(label) {
      if (running.delete(label) && running.size === 0) stop();
    },
    log(line) {
      if (bars === undefined) output.note(line);
      else bars.log(`${line}\n`);
    },
    warn(text) {
      if (bars === undefined) output.warn(text);
      else bars.log(`${warningText(text, output.color)}\n`);
    },
    [Symbol.dispose]: stop,
  };
}

function newBars(output: Output): cliProgress.MultiBar {
  return new cliProgress.MultiBar({
    // The stream is a tty.WriteStream whenever this view is chosen.
    stream: output.stderr as NodeJS.WriteStream,
    format: (_options, params, payload: { readonly standing: Standing }) => barText(params.progress, payload.standing, output.stderr.columns ?? 80),
    clearOnComplete: true,
    hideCursor: true,
    gracefulExit: false,
    linewrap: true,
    fps: 8,
  });
}

function barText(progress: number, standing: Standing, columns: number): string {
  const full = Math.round(Math.min(1, Math.max(0, progress)) * BAR_WIDTH);
  const bar = `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}`;
  return `  ${standing.label} ${standing.phase.padEnd(6)} ${bar} ${standingText(standing)}`.slice(0, columns - 1);
}
