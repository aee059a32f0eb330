import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { UndoSet } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { useMay } from '../session/session.tsx';
import { formatBytes, plural } from '../show/format.ts';
import { Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { Status } from '../show/status.tsx';
import { TypedConfirm } from '../show/typed-confirm.tsx';
import { newKey, useStartRun } from '../show/use-act.ts';
import { When } from '../show/when.tsx';

/** What restores in place replaced, and the way back to it. Most VMs have none: then nothing is shown. */
export function UndoPanel({ vmId, vmName }: { readonly vmId: number; readonly vmName: string }) {
  const operator = useMay('operator');
  const sets = useQuery({ queryKey: ['undo-sets', vmId], queryFn: ({ signal }) => call('listUndoSets', { params: { vmId } }, { signal }) });
  const [chosen, setChosen] = useState<UndoSet>();
  const columns: readonly Column<UndoSet>[] = [
    { title: 'Replaced', cell: ({ since }) => <When at={since} /> },
    { title: 'Kept until', cell: ({ until }) => <When at={until} /> },
    { title: 'Disks', cell: ({ images }) => images.map(({ target, sizeBytes }) => `${target} ${formatBytes(sizeBytes)}`).join(', ') },
    { title: 'State', cell: ({ complete }) => (complete ? <Status tone="ok">complete</Status> : <Status tone="bad">an image of it is gone</Status>) },
    {
      title: 'Actions',
      quiet: true,
      cell: (set) =>
        operator && (
          <Button disabled={!set.complete} onClick={() => setChosen(set)}>
            Undo
          </Button>
        ),
    },
  ];
  if (sets.data === undefined || sets.data.length === 0) return null;
  return (
    <Panel title="Ways back from restores in place" flush>
      <PlainTable label="ways back" columns={columns} rows={sets.data} keyOf={({ set }) => set} />
      {chosen !== undefined && <UndoConfirm vmId={vmId} vmName={vmName} set={chosen} onClose={() => setChosen(undefined)} />}
    </Panel>
  );
}

function UndoConfirm({ vmId, vmName, set, onClose }: { readonly vmId: number; readonly vmName: string; readonly set: UndoSet; readonly onClose: () => void }) {
  const [key] = useState(newKey);
  const start = useStartRun();
  return (
    <TypedConfirm
      opened
      onClose={onClose}
      title={`Undo the restore of ${vmName}`}
      word={vmName}
      verb="Undo"
      pending={start.isPending}
      error={start.error}
      onConfirm={() => start.mutate({ request: { kind: 'undo', vmId, set: set.set }, key })}
    >
      {vmName} is powered off and gets the {plural(set.images.length, 'disk')} back that it had until <When at={set.since} />. Those of now become a way back in
      their turn.
    </TypedConfirm>
  );
}
