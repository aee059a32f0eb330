import { formatRetentionReason, type RetentionDecision, type RetentionGroup, type RetentionPlan } from '@onevault/backup-format';
import { serializeError } from '@onevault/base';
import { printable, renderTable } from '../../render/table.ts';
import { count, formatTime } from '../../render/units.ts';
import type { VmNames } from './vm-names.ts';

/** One group as people read it: every point with what becomes of it and why. */
export function groupLines(group: RetentionGroup, names: VmNames): string[] {
  const { decisions } = group.selection;
  const forgotten = decisions.filter(({ verdict }) => verdict === 'forget').length;
  const kept = group.unreadable.length > 0 ? 'nothing is forgotten while a manifest cannot be read' : `${decisions.length - forgotten} stay, ${forgotten} go`;
  const table = renderTable(
    [
      { name: 'POINT', value: ({ point }: RetentionDecision) => point.id },
      { name: 'CAPTURED', value: ({ point }) => formatTime(point.capturedAt) },
      { name: 'VERDICT', value: (decision) => verdictWord(decision, group) },
      { name: 'REASONS', value: ({ reasons }) => reasons.map(formatRetentionReason).join(', ') },
    ],
    decisions,
  );
  const unreadable = group.unreadable.map(({ key }) => `${key}  keep  cannot be read`);
  return [
    `${printable(names.text(group.group))}: ${count(decisions.length + group.unreadable.length, 'restore point')}, ${kept}`,
    ...[...table, ...unreadable].map((line) => `  ${line}`),
  ];
}

/** Damaged ones stay too; a group that must not be touched keeps everything. */
function verdictWord({ verdict }: RetentionDecision, group: RetentionGroup): string {
  if (verdict === 'damaged') return 'keep (damaged)';
  return verdict === 'forget' && group.unreadable.length > 0 ? 'keep (refused)' : verdict;
}

/** The same for programs. */
export function planDocument(plan: RetentionPlan, names: VmNames): object {
  return {
    policy: plan.policy,
    asOf: plan.asOf.toISOString(),
    groups: plan.groups.map((group) => ({
      group: group.group,
      vm: names.vm(group.group),
      points: group.selection.decisions.map(({ point, verdict, reasons }) => ({
        id: point.id,
        capturedAt: point.capturedAt,
        verdict,
        reasons: reasons.map((reason) => ({ ...reason, text: formatRetentionReason(reason) })),
      })),
      rules: group.selection.rules,
      unreadable: group.unreadable.map(({ key, error }) => ({ key, error: serializeError(error) })),
    })),
  };
}
