import { KEEPING_RULES, type KeepingRule, keepingRule, RULE_LETTERS, RULE_TEXTS } from './keeping-rule.ts';

function RuleDot({ rule }: { readonly rule: KeepingRule }) {
  return (
    <i className={`ov-rule-${rule}`} aria-hidden>
      {RULE_LETTERS[rule]}
    </i>
  );
}

/** Why a point stays, in its colour, letter and words. */
export function RuleBadge({ keptBy }: { readonly keptBy: readonly string[] }) {
  const rule = keepingRule(keptBy);
  return (
    <span className="ov-rule" title={RULE_TEXTS[rule]}>
      <RuleDot rule={rule} />
      {keptBy.length === 0 ? 'no rule' : keptBy.join(', ')}
    </span>
  );
}

export function RuleLegend() {
  return (
    <div className="ov-row ov-dim">
      {KEEPING_RULES.map((rule) => (
        <span key={rule} className="ov-rule">
          <RuleDot rule={rule} /> {RULE_TEXTS[rule]}
        </span>
      ))}
    </div>
  );
}
