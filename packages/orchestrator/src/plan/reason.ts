import type { Reason, ReasonCode } from './plan-model.ts';

export function reason(code: ReasonCode, text: string, remedy?: string): Reason {
  return { code, text, ...(remedy !== undefined && { remedy }) };
}

/** Of things that may or may not be said, those that are. */
export function said(reasons: readonly (Reason | undefined)[]): Reason[] {
  return reasons.filter((entry) => entry !== undefined);
}

/** As mere information: what led to a choice is no problem that somebody should remedy. */
export function asInformation(reasons: readonly Reason[]): Reason[] {
  return reasons.map(({ code, text }) => ({ code, text }));
}
