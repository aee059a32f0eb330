import { Button, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconShieldCheck } from '@tabler/icons-react';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import type { AuditRecord } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { Copyable } from '../show/copyable.tsx';
import { formatCount, plural } from '../show/format.ts';
import { Notice, ProblemNotice } from '../show/notice.tsx';
import { Empty, Loaded, Page, Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { ShowOlder } from '../show/show-older.tsx';
import { Status } from '../show/status.tsx';
import { When } from '../show/when.tsx';

const route = getRouteApi('/audit');
const PAGE = 100;
const TONES = { ok: 'ok', refused: 'warn', failed: 'bad' } as const;
const COLUMNS: readonly Column<AuditRecord>[] = [
  { title: 'No', cell: ({ seq }) => seq, right: true },
  { title: 'When', cell: ({ time }) => <When at={time} seconds /> },
  {
    title: 'Who',
    cell: ({ actor }) => (
      <span title={actor.address}>
        {actor.name} {actor.kind !== 'user' && <span className="ov-dim">({actor.kind})</span>}
      </span>
    ),
  },
  { title: 'Did', cell: ({ action }) => <code>{action}</code> },
  { title: 'To', cell: ({ object }) => object },
  { title: 'Outcome', cell: ({ outcome }) => <Status tone={TONES[outcome]}>{outcome}</Status> },
  {
    title: 'More',
    cell: ({ details = {} }) => (
      <span className="ov-dim">
        {Object.entries(details)
          .map(([name, value]) => `${name}=${String(value)}`)
          .join(' ')}
      </span>
    ),
  },
  { title: 'Hash', cell: ({ hash }) => <Copyable text={hash} short={hash.slice(0, 8)} label="the hash" /> },
];

export function AuditPage() {
  const { actor, action } = route.useSearch();
  const navigate = useNavigate({ from: '/audit' });
  const set = useDebouncedCallback(
    (change: { actor?: string; action?: string }) => void navigate({ to: '/audit', search: (before) => ({ ...before, ...change }), replace: true }),
    300,
  );
  const pages = useInfiniteQuery({
    queryKey: ['audit', { actor, action }],
    queryFn: ({ pageParam, signal }) => call('readAudit', { query: { limit: PAGE, beforeSeq: pageParam, actor, action } }, { signal }),
    initialPageParam: undefined as number | undefined,
    // Without a number of all there are: a full page may have another behind it.
    getNextPageParam: (page) => (page.length < PAGE ? undefined : page.at(-1)?.seq),
  });
  return (
    <Page
      title="Audit"
      name="Audit"
      lead="Who did what, newest first. Each record carries the hash of the one before: a change of the past would show."
      actions={<Verify />}
    >
      <Panel flush>
        <div className="ov-form-line" style={{ padding: '0.6rem 0.75rem', maxWidth: '34rem' }}>
          <TextInput
            data-search
            aria-label="by whom"
            placeholder="by whom"
            defaultValue={actor ?? ''}
            onChange={(event) => set({ actor: event.currentTarget.value })}
          />
          <TextInput
            aria-label="which action"
            placeholder="which action, such as startRun"
            defaultValue={action ?? ''}
            onChange={(event) => set({ action: event.currentTarget.value })}
          />
        </div>
        <Loaded asked={{ data: pages.data?.pages.flat(), error: pages.error, refetch: pages.refetch }} rows={8}>
          {(records) => (
            <>
              {records.length === 0 ? (
                <Empty>No record fits.</Empty>
              ) : (
                <PlainTable label="audit records" columns={COLUMNS} rows={records} keyOf={({ seq }) => seq} />
              )}
              <ShowOlder pages={pages} />
            </>
          )}
        </Loaded>
      </Panel>
    </Page>
  );
}

/** Reads the whole log and computes every hash again. */
function Verify() {
  const verify = useMutation({ mutationFn: () => call('verifyAudit', {}) });
  const { data } = verify;
  return (
    <div className="ov-stack">
      <Button leftSection={<IconShieldCheck size={15} />} loading={verify.isPending} onClick={() => verify.mutate()}>
        Verify the chain
      </Button>
      {verify.error !== null && <ProblemNotice error={verify.error} />}
      {data !== undefined &&
        (data.firstBreak === undefined ? (
          <Notice tone="ok" live title="The chain is whole">
            <span>{plural(data.records, 'record')}</span>
            {data.head !== undefined && (
              <Copyable text={data.head.hash} short={`${formatCount(data.head.seq)}: ${data.head.hash.slice(0, 16)}…`} label="the last hash" />
            )}
          </Notice>
        ) : (
          <Notice tone="bad" title="The chain is broken">
            <span>
              {data.firstBreak.path}, line {data.firstBreak.line}: {data.firstBreak.kind}. What comes before it is as it was written.
            </span>
          </Notice>
        ))}
    </div>
  );
}
