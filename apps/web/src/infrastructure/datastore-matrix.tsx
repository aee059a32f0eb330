import { useQuery } from '@tanstack/react-query';
import type { Datastore } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { formatBytes } from '../show/format.ts';
import { Empty, Loaded, Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { Status, type Tone } from '../show/status.tsx';

type Cell = Datastore['capture'][number]['states'][string];
interface Row {
  readonly key: string;
  readonly store: Datastore;
  readonly format: string;
  readonly persistent: boolean;
  readonly states: Datastore['capture'][number]['states'];
}
const PAUSES = { none: '', moment: ', guest pauses for a moment', 'whole-copy': ', guest stands still for the whole copy' } as const;

/** How disks of each datastore would be captured, by the state of their VM: the plan of every backup, before there is one. */
export function DatastoreMatrix() {
  const stores = useQuery({ queryKey: ['datastores'], queryFn: ({ signal }) => call('listDatastores', {}, { signal }), staleTime: 60_000 });
  return (
    <Panel title="How disks of each datastore are captured" flush>
      <Loaded asked={stores}>{(all) => (all.length === 0 ? <Empty>No image datastore is seen.</Empty> : <Matrix stores={all} />)}</Loaded>
    </Panel>
  );
}

function Matrix({ stores }: { readonly stores: readonly Datastore[] }) {
  const rows = stores.flatMap((store): readonly Row[] =>
    store.capture.map(({ format, persistent, states }) => ({ key: `${store.id} ${format} ${persistent}`, store, format, persistent, states })),
  );
  const states = [...new Set(rows.flatMap((row) => Object.keys(row.states)))];
  const columns: readonly Column<Row>[] = [
    {
      title: 'Datastore',
      cell: ({ store }) => (
        <>
          {store.id} · {store.name} {!store.enabled && <Status tone="off">disabled</Status>}
          <div className="ov-dim">
            {store.driver}, {formatBytes(store.availableBytes)} of {formatBytes(store.totalBytes)} free
          </div>
        </>
      ),
    },
    { title: 'Disks', cell: ({ format, persistent }) => `${format}${persistent ? ', persistent' : ''}` },
    ...states.map((state) => ({ title: state.toLowerCase(), cell: (row: Row) => <CaptureCell cell={row.states[state]} /> })),
  ];
  return <PlainTable label="capture methods by datastore and state of the VM" columns={columns} rows={rows} keyOf={({ key }) => key} />;
}

function toneOf({ method, degraded, pause }: Cell): Tone {
  if (method === 'refuse') return 'bad';
  return degraded || pause === 'whole-copy' ? 'warn' : 'ok';
}

function CaptureCell({ cell }: { readonly cell: Cell | undefined }) {
  if (cell === undefined) return <span className="ov-dim">–</span>;
  return (
    <>
      <Status tone={toneOf(cell)} title={cell.codes.join(', ')}>
        {cell.method === 'refuse' ? 'refused' : cell.method}
      </Status>
      <div className="ov-dim">
        {cell.consistency}
        {PAUSES[cell.pause]}
      </div>
      {cell.remedy !== undefined && <div className="ov-dim">→ {cell.remedy}</div>}
    </>
  );
}
