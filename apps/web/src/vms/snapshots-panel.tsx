import { Button, Checkbox, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import type { Reason, SnapshotSet } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { useMay } from '../session/session.tsx';
import { plural } from '../show/format.ts';
import { ProblemNotice } from '../show/notice.tsx';
import { Empty, Loaded, Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { Reasons } from '../show/reasons.tsx';
import { Status } from '../show/status.tsx';
import { TypedConfirm } from '../show/typed-confirm.tsx';
import { newKey, useStartRun } from '../show/use-act.ts';
import { When } from '../show/when.tsx';

const ORIGINS: Readonly<Record<SnapshotSet['origin'], string>> = { set: 'onevault', backup: 'a backup, which takes it away again', foreign: 'somebody else' };

/** Each once, with what would help. */
function obstacles({ reasons, revertRefusals, deleteRefusals }: SnapshotSet): readonly Reason[] {
  const all = [...reasons, ...[...revertRefusals, ...deleteRefusals].map(({ code, text, remedy }) => ({ code, text: `${text}: ${remedy}` }))];
  return [...new Map(all.map((reason) => [`${reason.code} ${reason.text}`, reason])).values()];
}

/** Snapshots of a VM on its own storage: take, revert, delete. Those of others are shown and left alone. */
export function SnapshotsPanel({ vmId, vmName }: { readonly vmId: number; readonly vmName: string }) {
  const operator = useMay('operator');
  const sets = useQuery({ queryKey: ['snapshots', vmId], queryFn: ({ signal }) => call('listSnapshots', { params: { vmId } }, { signal }) });
  const [chosen, setChosen] = useState<{ readonly set: SnapshotSet; readonly verb: 'revert' | 'delete' }>();
  const columns: readonly Column<SnapshotSet>[] = [
    { title: 'Snapshot', cell: ({ name }) => name },
    { title: 'Taken', cell: ({ createdAt }) => <When at={createdAt} /> },
    { title: 'Of', cell: ({ disks }) => <span className="ov-nowrap">{plural(disks.length, 'disk')}</span> },
    { title: 'Now', cell: ({ disks }) => (disks.some(({ active }) => active) ? <Status tone="ok">the disks stand on it</Status> : '–') },
    { title: 'By', cell: ({ origin }) => ORIGINS[origin] },
    { title: 'Why not', cell: (set) => <Reasons reasons={obstacles(set)} /> },
    {
      title: 'Actions',
      quiet: true,
      cell: (set) =>
        operator && (
          <div className="ov-actions">
            <Button disabled={!set.canRevert} onClick={() => setChosen({ set, verb: 'revert' })}>
              Revert
            </Button>
            <Button disabled={!set.canDelete} onClick={() => setChosen({ set, verb: 'delete' })}>
              Delete
            </Button>
          </div>
        ),
    },
  ];
  return (
    <Panel title="Snapshots" flush actions={operator && <TakeSnapshot vmId={vmId} />}>
      <Loaded asked={sets}>
        {(all) =>
          all.length === 0 ? (
            <Empty>None. A snapshot stays on the VM’s own storage: it is no backup.</Empty>
          ) : (
            <PlainTable label="snapshots" columns={columns} rows={all} keyOf={({ reference, createdAt }) => `${reference} ${createdAt}`} />
          )
        }
      </Loaded>
      {chosen !== undefined && <SnapshotConfirm vmId={vmId} vmName={vmName} set={chosen.set} verb={chosen.verb} onClose={() => setChosen(undefined)} />}
    </Panel>
  );
}

function TakeSnapshot({ vmId }: { readonly vmId: number }) {
  const [opened, form] = useDisclosure(false);
  const [key, setKey] = useState(newKey);
  const start = useStartRun();
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get('name')).trim();
    start.mutate({ request: { kind: 'snapshot-create', vmId, ...(name !== '' && { name }) }, key });
  };
  const open = (): void => {
    setKey(newKey());
    form.open();
  };
  if (!opened) return <Button onClick={open}>Take a snapshot</Button>;
  return (
    <form onSubmit={submit} className="ov-actions">
      <TextInput name="name" aria-label="name of the snapshot" placeholder="name, such as before-update" maxLength={80} autoFocus />
      <Button type="submit" variant="filled" loading={start.isPending}>
        Take it
      </Button>
      <Button onClick={form.close}>Cancel</Button>
      {start.error !== null && <ProblemNotice error={start.error} />}
    </form>
  );
}

interface SnapshotConfirmProps {
  readonly vmId: number;
  readonly vmName: string;
  readonly set: SnapshotSet;
  readonly verb: 'revert' | 'delete';
  readonly onClose: () => void;
}

function SnapshotConfirm({ vmId, vmName, set, verb, onClose }: SnapshotConfirmProps) {
  const [key] = useState(newKey);
  const [safety, setSafety] = useState(true);
  const start = useStartRun();
  const of = { vmId, set: set.reference };
  const request = verb === 'revert' ? { kind: 'snapshot-revert' as const, ...of, safety } : { kind: 'snapshot-delete' as const, ...of };
  return (
    <TypedConfirm
      opened
      onClose={onClose}
      title={verb === 'revert' ? `Revert ${vmName} to ${set.name}` : `Delete ${set.name}`}
      word={verb === 'revert' ? vmName : set.name}
      verb={verb === 'revert' ? 'Revert' : 'Delete'}
      pending={start.isPending}
      error={start.error}
      onConfirm={() => start.mutate({ request, key })}
    >
      {verb === 'revert' ? (
        <div className="ov-stack">
          <span>
            All {plural(set.disks.length, 'disk')} of <strong>{vmName}</strong> go back to <When at={set.createdAt} />. The VM is powered off for as long as it
            takes and is brought back as it was. What was written since is lost{safety ? ', but for the snapshot taken first' : ''}.
          </span>
          <Checkbox size="xs" label="Take a snapshot of how it is now first" checked={safety} onChange={(event) => setSafety(event.currentTarget.checked)} />
        </div>
      ) : (
        <span>The snapshot of {plural(set.disks.length, 'disk')} goes; the VM keeps the state that it has now.</span>
      )}
    </TypedConfirm>
  );
}
