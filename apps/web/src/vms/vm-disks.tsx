import type { VmDisk } from '../api/answers.ts';
import { formatBytes } from '../show/format.ts';
import { Empty, Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { Reasons } from '../show/reasons.tsx';
import { VerdictStatus } from '../show/status.tsx';

const COLUMNS: readonly Column<VmDisk>[] = [
  { title: 'Disk', cell: ({ diskId, target }) => <span className="ov-nowrap">{`${diskId} · ${target}`}</span> },
  { title: 'Size', cell: ({ sizeBytes }) => formatBytes(sizeBytes), right: true },
  {
    title: 'Image',
    cell: ({ image, persistent }) =>
      image === undefined ? <span className="ov-dim">no image: volatile</span> : `${image}${persistent ? ' (persistent)' : ''}`,
  },
  { title: 'Datastore', cell: ({ datastore }) => datastore ?? '–' },
  { title: 'A backup now', cell: ({ capture }) => <VerdictStatus verdict={capture.verdict} /> },
  { title: 'How', cell: ({ capture }) => capture.method ?? '–' },
  { title: 'Why', cell: ({ capture }) => <Reasons reasons={capture.reasons} /> },
];

/** What a backup would do with each disk, before anything is touched. */
export function VmDisks({ disks }: { readonly disks: readonly VmDisk[] }) {
  return (
    <Panel title="Disks" flush>
      {disks.length === 0 ? (
        <Empty>No disk is known.</Empty>
      ) : (
        <PlainTable label="disks and what a backup would do with them" columns={COLUMNS} rows={disks} keyOf={({ diskId }) => diskId} />
      )}
    </Panel>
  );
}
