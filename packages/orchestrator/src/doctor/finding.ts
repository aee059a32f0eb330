import { errorCode, isBaseError } from '@onevault/base';

/** What is looked at, in this order. */
export const DOCTOR_AREAS = ['cloud', 'clock', 'rights', 'proxy', 'storage', 'datastores', 'vms', 'leftovers', 'repository', 'space'] as const;
export type DoctorArea = (typeof DOCTOR_AREAS)[number];

/** ok: nothing to do. warning: it works, but not as well as it should. problem: a backup or restore would fail. unknown: it could not be found out. */
export type DoctorVerdict = 'ok' | 'warning' | 'problem' | 'unknown';

/** One fact and what it means. */
export interface Finding {
  readonly area: DoctorArea;
  /** Stable. */
  readonly code: string;
  readonly verdict: DoctorVerdict;
  /** What it is about, for a person: `datastore 100 images`, `VM 6 web and 3 more`. */
  readonly subject: string;
  /** One sentence for a person. */
  readonly text: string;
  /** What to do; always there unless the verdict is ok. */
  readonly remedy?: string;
}

export type Checked = AsyncGenerator<Finding, void>;

export function ok(area: DoctorArea, code: string, subject: string, text: string): Finding {
  return { area, code, verdict: 'ok', subject, text };
}

export function trouble(area: DoctorArea, verdict: Exclude<DoctorVerdict, 'ok'>, code: string, subject: string, text: string, remedy: string): Finding {
  return { area, code, verdict, subject, text, remedy };
}

/** A check that could not be made: the error's own code and hint say why and what to do. */
export function failed(area: DoctorArea, subject: string, error: unknown, verdict: 'problem' | 'unknown' = 'problem'): Finding {
  const text = error instanceof Error ? error.message : String(error);
  const hint = isBaseError(error) ? error.hint : undefined;
  return trouble(area, verdict, errorCode(error) ?? 'CHECK_FAILED', subject, text, hint ?? 'see the message; run doctor again when it is settled');
}
