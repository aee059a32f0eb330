import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { PolicyPreview } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { plural } from '../show/format.ts';
import { ProblemNotice } from '../show/notice.tsx';
import { Empty, Panel, Waiting } from '../show/page.tsx';
import { Status } from '../show/status.tsx';
import { When } from '../show/when.tsx';
import type { PolicyDoc } from './policy-document.ts';

const TYPING_MS = 350;
/** So many VMs are named; the others are counted. */
const NAMED = 40;

/** What the document would do, asked of the server as it is written; faults are shown where they are found. */
export function PolicyPreviewPanel({ doc }: { readonly doc: PolicyDoc }) {
  const [asked] = useDebouncedValue(doc, TYPING_MS);
  // A policy without a name can be looked at too.
  const body = { ...asked, name: asked.name === '' ? 'unnamed' : asked.name };
  const preview = useQuery({
    queryKey: ['policy-preview', body],
    queryFn: ({ signal }) => call('previewPolicy', { body }, { signal }),
    placeholderData: keepPreviousData,
    retry: false,
    gcTime: 10_000,
  });
  return (
    <div className="ov-stack">
      {preview.error !== null && <ProblemNotice error={preview.error} />}
      {preview.data === undefined ? (
        preview.error === null && <Waiting rows={6} />
      ) : (
        <div className="ov-stack" aria-live="polite" aria-busy={preview.isFetching}>
          <Matches preview={preview.data} />
          <NextRuns runs={preview.data.nextRuns} />
        </div>
      )}
    </div>
  );
}

const TONES = { selected: 'ok', excluded: 'off', 'opted-out': 'off' } as const;
const WORDS = { selected: 'in', excluded: 'excluded', 'opted-out': 'opted out' } as const;

function Matches({ preview: { selected, excluded, vms } }: { readonly preview: PolicyPreview }) {
  const named = vms.slice(0, NAMED);
  return (
    <Panel title={`Is for ${plural(selected, 'VM')}`} actions={excluded > 0 && <span className="ov-dim">{plural(excluded, 'VM')} left out</span>} flush>
      {named.length === 0 ? (
        <Empty>It is for no VM now.</Empty>
      ) : (
        <table className="ov-table">
          <caption className="ov-unseen">VMs that the policy is for or leaves out</caption>
          <tbody>
            {named.map(({ id, name, verdict, by, reason }) => (
              <tr key={id}>
                <td>
                  <Link to="/vms/$vmId" params={{ vmId: String(id) }}>
                    {name}
                  </Link>{' '}
                  <span className="ov-dim">{id}</span>
                </td>
                <td>
                  <Status tone={TONES[verdict]}>{WORDS[verdict]}</Status>
                </td>
                <td className="ov-dim">{reason ?? by ?? ''}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {selected + excluded > named.length && <Empty>and {plural(selected + excluded - named.length, 'more VM')}</Empty>}
    </Panel>
  );
}

function NextRuns({ runs }: { readonly runs: PolicyPreview['nextRuns'] }) {
  return (
    <Panel title="Next runs">
      {runs.length === 0 ? (
        <Empty>It never runs by itself.</Empty>
      ) : (
        <ol style={{ margin: 0, paddingLeft: '1.4rem' }}>
          {runs.map(({ at, mode }) => (
            <li key={`${at} ${mode}`}>
              <When at={at} />{' '}
              <span className="ov-dim">
                (<When at={at} age />)
              </span>{' '}
              {mode === 'full' && 'full'}
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}
