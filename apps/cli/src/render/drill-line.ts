import type { DrillCandidate, DrillReport } from '@onevault/orchestrator';
import { fields } from './summary-line.ts';
import { compactDuration, formatRate } from './units.ts';

/** The one line a cron job keeps. `rto`: from the first call to the sign of life, what a restore in earnest would take. */
export function drillLine(report: DrillReport): string {
  const { measures, failure } = report;
  const { writeMs, bootMs, rtoMs, restoredBytes } = measures;
  return fields('drill', {
    vm: report.vmName,
    result: report.outcome === 'failed' ? 'failed' : report.residue.length > 0 ? 'residue' : 'passed',
    ...(failure && { stage: failure.stage, code: failure.error.code ?? 'INTERNAL' }),
    point: report.pointId,
    signs: signsText(report.signs) ?? 'none',
    ...(writeMs !== undefined && { write: compactDuration(writeMs), rate: formatRate((restoredBytes / Math.max(1, writeMs)) * 1000).replace(' ', '') }),
    ...(bootMs !== undefined && { boot: compactDuration(bootMs) }),
    ...(rtoMs !== undefined && { rto: compactDuration(rtoMs) }),
    duration: compactDuration(report.durationMs),
  });
}

/** `running+no-guest-agent`: what was seen and what was not. */
export function signsText(signs: readonly { readonly kind: string; readonly seen: boolean }[]): string | undefined {
  return signs.map(({ kind, seen }) => `${seen ? '' : 'no-'}${kind}`).join('+') || undefined;
}

export function drillFailedLine({ vmName, pointId }: DrillCandidate, code: string): string {
  return fields('drill', { vm: vmName, result: 'not-drilled', code, point: pointId });
}
