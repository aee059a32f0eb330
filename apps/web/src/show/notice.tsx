import { Button } from '@mantine/core';
import { IconAlertTriangle, IconCircleCheck, IconCircleX, IconInfoCircle } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { ApiError } from '../api/http.ts';
import { Copyable } from './copyable.tsx';

type NoticeTone = 'info' | 'ok' | 'warn' | 'bad';
const ICONS = { info: IconInfoCircle, ok: IconCircleCheck, warn: IconAlertTriangle, bad: IconCircleX } as const;

export function Notice({
  tone,
  title,
  children,
  live = false,
}: {
  readonly tone: NoticeTone;
  readonly title?: ReactNode;
  readonly children?: ReactNode;
  readonly live?: boolean;
}) {
  const Icon = ICONS[tone];
  return (
    <div className={`ov-notice ov-notice-${tone}`} role={tone === 'bad' ? 'alert' : live ? 'status' : undefined}>
      <Icon size={18} aria-hidden className={`ov-tone-${tone}`} />
      <div className="ov-notice-text">
        {title !== undefined && <strong>{title}</strong>}
        {children}
      </div>
    </div>
  );
}

/** What went wrong, as the server said it: what, why, what to do, the code. */
export function ProblemNotice({ error, onRetry }: { readonly error: unknown; readonly onRetry?: () => void }) {
  const { code, title, detail, hint, issues = [], requestId } = problemIn(error);
  return (
    <Notice tone="bad" title={title ?? asSentence(detail)}>
      {title !== undefined && <span>{detail}</span>}
      {issues.length > 0 && (
        <ul className="ov-issues">
          {issues.map(({ path, message }) => (
            <li key={`${path} ${message}`}>
              {path !== '' && <code>{path}</code>} {message}
            </li>
          ))}
        </ul>
      )}
      {hint !== undefined && <span>{hint}</span>}
      <span className="ov-notice-foot">
        <Copyable text={code} label="the error code" />
        {requestId !== undefined && <Copyable text={requestId} label="the request id" />}
        {onRetry !== undefined && (
          <Button size="compact-xs" onClick={onRetry}>
            Try again
          </Button>
        )}
      </span>
    </Notice>
  );
}

function asSentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A `title` only where it says more than the server's, which is the phrase of an HTTP status. */
function problemIn(error: unknown): Pick<ApiError['problem'], 'code' | 'title' | 'detail' | 'hint' | 'issues' | 'requestId'> {
  if (error instanceof ApiError) {
    const { title: _title, ...problem } = error.problem;
    return problem;
  }
  const detail = error instanceof Error ? error.message : String(error);
  return { code: 'WEB_DEFECT', title: 'This page made a mistake', detail, hint: 'Reload it. If it comes again, report it with the code and these words.' };
}
