import type { ProxyVm } from '../api/answers.ts';
import { Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { Reasons } from '../show/reasons.tsx';
import { Status } from '../show/status.tsx';

interface Row {
  readonly id: number;
  readonly name: string;
  readonly by: ReadonlyMap<string, ProxyVm['datastores'][number]>;
}

/** Which proxy reaches which datastore: a run is done by one that reaches all it needs. */
export function Reach({ proxies }: { readonly proxies: readonly ProxyVm[] }) {
  const rows = new Map<number, Row>();
  for (const { worker, datastores } of proxies)
    for (const datastore of datastores) {
      const row = rows.get(datastore.id) ?? { id: datastore.id, name: datastore.name, by: new Map() };
      rows.set(datastore.id, { ...row, by: new Map(row.by).set(worker, datastore) });
    }
  const columns: readonly Column<Row>[] = [
    { title: 'Datastore', cell: ({ id, name }) => `${id} · ${name}` },
    ...proxies.map(({ worker, name }) => ({ title: name === worker ? name : `${name} (${worker})`, cell: ({ by }: Row) => <Cell cell={by.get(worker)} /> })),
  ];
  return (
    <Panel title="Who reaches which datastore" flush>
      <PlainTable label="datastores that each proxy reaches" columns={columns} rows={[...rows.values()].sort((a, b) => a.id - b.id)} keyOf={({ id }) => id} />
    </Panel>
  );
}

function Cell({ cell }: { readonly cell: ProxyVm['datastores'][number] | undefined }) {
  if (cell === undefined) return <span className="ov-dim">–</span>;
  return (
    <>
      <Status tone={cell.reachable ? 'ok' : 'bad'}>{cell.reachable ? 'reached' : 'not reached'}</Status>
      <Reasons reasons={cell.reasons} />
    </>
  );
}
