import type { RetentionCountRule, RetentionRule, RetentionWithinRule } from './policy.ts';

/** Why a point stays or goes. A point has all reasons that hold, the rules' first. */
export type RetentionReason =
  /** It stands for the nth newest period (or is the nth newest point). */
  | { readonly kind: 'count'; readonly rule: RetentionCountRule; readonly nth: number }
  | { readonly kind: 'within'; readonly rule: RetentionWithinRule; readonly duration: string }
  /** The oldest good point, while the rule has not found all it may keep. */
  | { readonly kind: 'oldest'; readonly rule: RetentionRule }
  | { readonly kind: 'tags'; readonly tags: readonly string[] }
  | { readonly kind: 'hold'; readonly name: string; readonly until?: string }
  /** One of the policy's `minimumGood` newest good points. */
  | { readonly kind: 'last-good' }
  /** Captured after the reference date: not judged yet. */
  | { readonly kind: 'future' }
  | { readonly kind: 'damaged' }
  /** Of a damaged point: no rule, tag or hold would keep it even if it were good, and newer good points are there. */
  | { readonly kind: 'expired' }
  /** Of a point that goes: nothing keeps it. */
  | { readonly kind: 'no-rule' };

/** For people and for JSON: `daily#3`, `within 3d`, `within-daily 14d`, `oldest daily`, `tag:gold`, `hold:ticket-42`, `last-good`. */
export function formatRetentionReason(reason: RetentionReason): string {
  switch (reason.kind) {
    case 'count':
      return `${wordOf(reason.rule)}#${reason.nth}`;
    case 'within':
      return `${wordOf(reason.rule)} ${reason.duration}`;
    case 'oldest':
      return `oldest ${wordOf(reason.rule)}`;
    case 'tags':
      return `tag:${reason.tags.join(',')}`;
    case 'hold':
      return `hold:${reason.name}`;
    case 'last-good':
    case 'future':
    case 'damaged':
    case 'expired':
    case 'no-rule':
      return reason.kind;
  }
}

/** keepWithinDaily: within-daily. */
function wordOf(rule: RetentionRule): string {
  return rule
    .replace(/^keep/, '')
    .replace(/(?<=.)[A-Z]/g, (letter) => `-${letter}`)
    .toLowerCase();
}
