/** error: OpenNebula would refuse, or the VM would never run; stops the restore before anything is created. warning: it will work, but look first. unknown: it could not be found out. */
export type RestoreSeverity = 'ok' | 'warning' | 'error' | 'unknown';

/** One fact about a restore that is about to be made. */
export interface RestoreFinding {
  readonly severity: RestoreSeverity;
  /** Stable. */
  readonly code: string;
  /** What it is about: `datastore 100 images`, `NIC 0 in network 0 lan`. */
  readonly what: string;
  /** One sentence for a person. */
  readonly why: string;
  /** What to do; always there unless the severity is ok. */
  readonly remedy?: string;
}

export function fine(code: string, what: string, why: string): RestoreFinding {
  return { severity: 'ok', code, what, why };
}

export function concern(severity: Exclude<RestoreSeverity, 'ok'>, code: string, what: string, why: string, remedy: string): RestoreFinding {
  return { severity, code, what, why, remedy };
}
