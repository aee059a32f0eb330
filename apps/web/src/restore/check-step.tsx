import { Button, Checkbox } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Point, RestorePreview } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { formatBytes, plural } from '../show/format.ts';
import { Notice, ProblemNotice } from '../show/notice.tsx';
import { Empty, Loaded, Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { Reasons } from '../show/reasons.tsx';
import { SeverityStatus } from '../show/status.tsx';
import { TypedConfirm } from '../show/typed-confirm.tsx';
import { newKey, useStartRun } from '../show/use-act.ts';
import { When } from '../show/when.tsx';
import { type RestoreForm, requestOf } from './restore-form.ts';

type Change = RestorePreview['definition'][number];

const OBJECTS: readonly Column<RestorePreview['objects'][number]>[] = [
  {
    title: 'What',
    cell: ({ kind, what, temporary }) => (
      <span title={kind}>
        {what}
        {temporary && <span className="ov-dim"> (gone when it is over)</span>}
      </span>
    ),
  },
  { title: 'Name', cell: ({ name }) => name },
  { title: 'Size', cell: ({ sizeBytes }) => (sizeBytes === undefined ? '–' : formatBytes(sizeBytes)), right: true },
  { title: 'Datastore', cell: ({ datastore }) => datastore ?? '–' },
];
const CHECKS: readonly Column<RestorePreview['checks'][number]>[] = [
  { title: 'Verdict', cell: ({ severity }) => <SeverityStatus severity={severity} /> },
  { title: 'What', cell: ({ what, code }) => <span title={code}>{what}</span> },
  { title: 'Why', cell: ({ why }) => why },
  { title: 'What to do', cell: ({ remedy }) => remedy ?? '–' },
];
const DEFINITION: readonly Column<Change>[] = [
  { title: 'Attribute', cell: ({ path }) => <code>{path}</code> },
  { title: 'Becomes', cell: ({ action }) => action },
  { title: 'Saved', cell: ({ before, secret }) => <Value value={before} secret={secret} tone="bad" /> },
  { title: 'New', cell: ({ after, secret }) => <Value value={after} secret={secret} tone="ok" /> },
  { title: 'Why', cell: ({ reason, code }) => <span title={code}>{reason}</span> },
];

function Value({ value, secret, tone }: { readonly value: string | undefined; readonly secret: boolean | undefined; readonly tone: 'ok' | 'bad' }) {
  if (secret === true) return <span className="ov-dim">a secret</span>;
  return value === undefined ? '–' : <code className={`ov-tone-${tone}`}>{value}</code>;
}

/** What would be made and changed, before anything is: asked of the server, and shown as it said. */
export function CheckStep({ point, form }: { readonly point: Point; readonly form: RestoreForm }) {
  const request = requestOf(form, point);
  const preview = useQuery({
    queryKey: ['restore-preview', request],
    queryFn: ({ signal }) => call('previewRestore', { body: request }, { signal }),
    staleTime: 0,
    gcTime: 0,
  });
  return (
    <Loaded asked={preview} rows={6}>
      {(data) => (
        <>
          <Verdict preview={data} />
          <Panel title="Checks" flush>
            {data.checks.length === 0 ? (
              <Empty>Nothing to say.</Empty>
            ) : (
              <PlainTable label="checks" columns={CHECKS} rows={data.checks} keyOf={({ code, what, why }) => `${code} ${what} ${why}`} />
            )}
          </Panel>
          <Definition changes={data.definition} />
          {data.notes.length > 0 && (
            <Notice tone="info">
              <Reasons reasons={data.notes} />
            </Notice>
          )}
          <Panel title="What is made" flush>
            {data.objects.length === 0 ? (
              <Empty>Nothing new.</Empty>
            ) : (
              <PlainTable label="objects that are made" columns={OBJECTS} rows={data.objects} keyOf={({ kind, name, what }) => `${kind} ${name} ${what}`} />
            )}
          </Panel>
          <Go point={point} form={form} possible={data.possible} />
        </>
      )}
    </Loaded>
  );
}

function Verdict({ preview: { possible, checks, verdict } }: { readonly preview: RestorePreview }) {
  const errors = checks.filter(({ severity }) => severity === 'error').length;
  const warnings = checks.filter(({ severity }) => severity === 'warning').length;
  if (!possible)
    return (
      <Notice tone="bad" title={`It cannot be done as it stands: ${plural(errors, 'error')}`}>
        See what to do below, then go back and change it.
      </Notice>
    );
  if (warnings === 0 && verdict === 'degraded') return <Notice tone="warn" title="It can be done, but not all comes back as it was" />;
  if (warnings > 0) return <Notice tone="warn" title={`It can be done; read the ${plural(warnings, 'warning')}`} />;
  return <Notice tone="ok" title="It can be done" live />;
}

/** Attributes that stay as they were are many and say little: shown when asked for. */
function Definition({ changes }: { readonly changes: readonly Change[] }) {
  const [all, setAll] = useState(false);
  const changed = changes.filter(({ action, before, after }) => before !== after || !/keep|kept/.test(action));
  const shown = all ? changes : changed;
  return (
    <Panel
      title={`The definition: ${plural(changed.length, 'change')}`}
      flush
      actions={
        <Checkbox
          size="xs"
          label={`also what stays: ${changes.length - changed.length}`}
          checked={all}
          onChange={(event) => setAll(event.currentTarget.checked)}
        />
      }
    >
      {shown.length === 0 ? (
        <Empty>It stays as it is.</Empty>
      ) : (
        <PlainTable
          label="the definition, attribute by attribute"
          columns={DEFINITION}
          rows={shown}
          keyOf={({ path, before, after, code }) => `${path} ${before} ${after} ${code}`}
        />
      )}
    </Panel>
  );
}

function Go({ point, form, possible }: { readonly point: Point; readonly form: RestoreForm; readonly possible: boolean }) {
  const [key] = useState(newKey);
  const [opened, confirm] = useDisclosure(false);
  const start = useStartRun();
  const go = (): void => start.mutate({ request: requestOf(form, point), key });
  if (form.how === 'new')
    return (
      <div className="ov-stack">
        {start.error !== null && <ProblemNotice error={start.error} />}
        <div className="ov-actions ov-wraps">
          <Button variant="filled" size="sm" disabled={!possible} loading={start.isPending} onClick={go}>
            Restore as {form.name.trim()}
          </Button>
        </div>
      </div>
    );
  return (
    <div className="ov-actions ov-wraps">
      <Button variant="filled" color="danger" size="sm" disabled={!possible} onClick={confirm.open}>
        Restore {point.vmName} in place
      </Button>
      <TypedConfirm
        opened={opened}
        onClose={confirm.close}
        title={`Restore ${point.vmName} in place`}
        word={point.vmName}
        verb="Exchange its disks"
        pending={start.isPending}
        error={start.error}
        onConfirm={go}
      >
        <strong>{point.vmName}</strong> (VM {point.vmId}) is powered off and gets its disks of <When at={point.capturedAt} />. Its disks of now are kept for{' '}
        {form.keepUndo}: until then an undo brings it back.
      </TypedConfirm>
    </div>
  );
}
