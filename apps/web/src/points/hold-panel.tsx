import { Button, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import type { Point } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { useMay } from '../session/session.tsx';
import { ProblemNotice } from '../show/notice.tsx';
import { Panel } from '../show/page.tsx';
import { Status } from '../show/status.tsx';
import { useAct } from '../show/use-act.ts';
import { When } from '../show/when.tsx';

const RENEWS = ['point', 'points'];

/** Keeps a restore point whatever retention says. */
export function HoldPanel({ point }: { readonly point: Point }) {
  const operator = useMay('operator');
  const params = { repository: point.repository, pointId: point.id };
  const [reason, setReason] = useState('');
  const [until, setUntil] = useState('');
  const hold = useAct((body: { reason: string; until?: string }) => call('holdPoint', { params, body }), {
    renews: RENEWS,
    done: () => 'The restore point is held',
  });
  const release = useAct(() => call('releasePoint', { params }), { renews: RENEWS, done: () => 'The hold is gone' });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    // The end of that day where the person is.
    hold.mutate({ reason, ...(until !== '' && { until: new Date(`${until}T23:59:59`).toISOString() }) });
  };
  const error = hold.error ?? release.error;
  return (
    <Panel title="Hold">
      {point.held !== undefined ? (
        <div className="ov-row">
          <Status tone="wait">
            held: {point.held.reason}
            {point.held.until !== undefined && (
              <>
                , until <When at={point.held.until} />
              </>
            )}
          </Status>
          {operator && (
            <Button onClick={() => release.mutate(undefined)} loading={release.isPending}>
              Release
            </Button>
          )}
        </div>
      ) : operator ? (
        <form className="ov-form-line" onSubmit={submit}>
          <TextInput
            label="Reason"
            placeholder="ticket 42"
            required
            maxLength={200}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          <TextInput label="Until, or for ever" type="date" value={until} onChange={(event) => setUntil(event.currentTarget.value)} />
          <Button type="submit" loading={hold.isPending}>
            Hold
          </Button>
        </form>
      ) : (
        <span className="ov-dim">not held</span>
      )}
      {error !== null && <ProblemNotice error={error} />}
    </Panel>
  );
}
