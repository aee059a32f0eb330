import { Skeleton, Title } from '@mantine/core';
import { type ReactNode, useEffect } from 'react';
import { ProblemNotice } from './notice.tsx';

/** A page: its heading, what can be done, and the name of the browser's tab. */
export function Page({
  title,
  name,
  actions,
  lead,
  children,
}: {
  readonly title: ReactNode;
  readonly name: string;
  readonly actions?: ReactNode;
  readonly lead?: ReactNode;
  readonly children: ReactNode;
}) {
  useEffect(() => {
    document.title = `${name} · onevault`;
  }, [name]);
  return (
    <div className="ov-page">
      <div className="ov-page-head">
        <div>
          <Title order={1}>{title}</Title>
          {lead !== undefined && <div className="ov-lead">{lead}</div>}
        </div>
        {actions !== undefined && <div className="ov-actions">{actions}</div>}
      </div>
      {children}
    </div>
  );
}

export function Panel({
  title,
  actions,
  children,
  flush = false,
  id,
}: {
  readonly title?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
  readonly flush?: boolean;
  readonly id?: string;
}) {
  return (
    <section className="ov-panel" id={id}>
      {title !== undefined && (
        <div className="ov-panel-head">
          <Title order={2}>{title}</Title>
          {actions !== undefined && <div className="ov-actions">{actions}</div>}
        </div>
      )}
      <div className={flush ? 'ov-panel-flush' : 'ov-panel-body'}>{children}</div>
    </section>
  );
}

interface Asked<T> {
  readonly data: T | undefined;
  readonly error: unknown;
  readonly refetch?: () => unknown;
}

/** What was asked, or that it is not there yet, or why not. Old data stay on the page when a renewal fails, and the page says so. */
export function Loaded<T>({ asked, children, rows = 3 }: { readonly asked: Asked<T>; readonly children: (data: T) => ReactNode; readonly rows?: number }) {
  const retry = asked.refetch === undefined ? {} : { onRetry: () => void asked.refetch?.() };
  return (
    <>
      {asked.error !== null && asked.error !== undefined && <ProblemNotice error={asked.error} {...retry} />}
      {asked.data !== undefined ? children(asked.data) : asked.error === null || asked.error === undefined ? <Waiting rows={rows} /> : null}
    </>
  );
}

export function Waiting({ rows = 3 }: { readonly rows?: number }) {
  return (
    <div className="ov-waiting" role="status" aria-label="loading">
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} height={14} width={`${90 - 12 * (row % 3)}%`} radius="sm" />
      ))}
    </div>
  );
}

export function Empty({ children }: { readonly children: ReactNode }) {
  return <p className="ov-empty">{children}</p>;
}

export type Fact = readonly [name: string, value: ReactNode];

/** Names and values. */
export function Facts({ facts }: { readonly facts: readonly (Fact | undefined)[] }) {
  return (
    <dl className="ov-facts">
      {facts.flatMap((fact) =>
        fact === undefined
          ? []
          : [
              <div key={fact[0]}>
                <dt>{fact[0]}</dt>
                <dd>{fact[1]}</dd>
              </div>,
            ],
      )}
    </dl>
  );
}
