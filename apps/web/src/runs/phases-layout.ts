import type { FoldedStep } from './run-fold.ts';

export interface PhaseBar {
  readonly key: string;
  readonly title: string;
  readonly outcome: FoldedStep['outcome'];
  readonly code: string | undefined;
  readonly durationMs: number;
  /** Of the width, 0 to 100. */
  readonly left: number;
  readonly width: number;
}

/** Steps as bars on the time of the run. What still runs reaches to now. */
export function phaseBars(steps: readonly FoldedStep[], nowMs: number): readonly PhaseBar[] {
  const endOf = ({ startedMs, durationMs }: FoldedStep): number => (durationMs === undefined ? Math.max(nowMs, startedMs) : startedMs + durationMs);
  const from = steps.reduce((least, { startedMs }) => Math.min(least, startedMs), Number.POSITIVE_INFINITY);
  const to = steps.reduce((most, step) => Math.max(most, endOf(step)), from + 1);
  return steps.map((step, index) => ({
    key: `${index} ${step.step}`,
    title: step.diskId === undefined ? step.step : `${step.step}, disk ${step.diskId}`,
    outcome: step.outcome,
    code: step.code,
    durationMs: endOf(step) - step.startedMs,
    left: (100 * (step.startedMs - from)) / (to - from),
    width: (100 * (endOf(step) - step.startedMs)) / (to - from),
  }));
}
