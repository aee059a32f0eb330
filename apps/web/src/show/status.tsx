import {
  IconAlertTriangle,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleMinus,
  IconCircleX,
  IconClockPause,
  IconLoader2,
  type TablerIcon,
} from '@tabler/icons-react';
import type { ReactNode } from 'react';
import type { Protection, RunState } from '../api/answers.ts';

export type Tone = 'ok' | 'warn' | 'bad' | 'busy' | 'wait' | 'off' | 'none';

const ICONS: Readonly<Record<Tone, TablerIcon>> = {
  ok: IconCircleCheck,
  warn: IconAlertTriangle,
  bad: IconCircleX,
  busy: IconLoader2,
  wait: IconClockPause,
  off: IconCircleMinus,
  none: IconCircleDashed,
};

/** Colour, icon and text together: none of them alone says it. */
export function Status({ tone, children, title }: { readonly tone: Tone; readonly children: ReactNode; readonly title?: string | undefined }) {
  const Icon = ICONS[tone];
  return (
    <span className={`ov-status ov-tone-${tone}`} title={title}>
      <Icon size={15} stroke={2} aria-hidden className={tone === 'busy' ? 'ov-spin' : undefined} />
      <span>{children}</span>
    </span>
  );
}

const RUN_STATES: Readonly<Record<RunState, readonly [Tone, string]>> = {
  queued: ['wait', 'waiting'],
  running: ['busy', 'running'],
  succeeded: ['ok', 'succeeded'],
  degraded: ['warn', 'degraded'],
  failed: ['bad', 'failed'],
  cancelled: ['off', 'cancelled'],
  skipped: ['off', 'skipped'],
};

export function RunStatus({ state, title }: { readonly state: RunState; readonly title?: string | undefined }) {
  const [tone, text] = RUN_STATES[state];
  return (
    <Status tone={tone} title={title}>
      {text}
    </Status>
  );
}

const PROTECTION: Readonly<Record<Protection['state'], readonly [Tone, string]>> = {
  protected: ['ok', 'protected'],
  'out-of-rpo': ['warn', 'out of RPO'],
  unprotected: ['bad', 'unprotected'],
  excluded: ['off', 'excluded'],
};

export function ProtectionStatus({ protection }: { readonly protection: Protection }) {
  const [tone, text] = PROTECTION[protection.state];
  return (
    <Status tone={tone} title={'reason' in protection ? protectionReason(protection.reason) : undefined}>
      {text}
    </Status>
  );
}

/** The server's reasons of an unprotected VM in words; those of an excluded one are the owner's own. */
export function protectionReason(reason: string): string {
  if (reason === 'no-policy') return 'no policy selects it';
  if (reason === 'no-restore-point') return 'a policy selects it, and there is no usable restore point';
  return reason;
}

const VERDICTS: Readonly<Record<string, readonly [Tone, string]>> = {
  ok: ['ok', 'ok'],
  capture: ['ok', 'ok'],
  degraded: ['warn', 'degraded'],
  skipped: ['off', 'skipped'],
  impossible: ['bad', 'impossible'],
};

export function VerdictStatus({ verdict }: { readonly verdict: string }) {
  const [tone, text] = VERDICTS[verdict] ?? ['none', verdict];
  return <Status tone={tone}>{text}</Status>;
}

const SEVERITIES: Readonly<Record<'ok' | 'warning' | 'error' | 'unknown', readonly [Tone, string]>> = {
  ok: ['ok', 'ok'],
  warning: ['warn', 'warning'],
  error: ['bad', 'error'],
  unknown: ['none', 'not known'],
};

export function SeverityStatus({ severity }: { readonly severity: 'ok' | 'warning' | 'error' | 'unknown' }) {
  const [tone, text] = SEVERITIES[severity];
  return <Status tone={tone}>{text}</Status>;
}
