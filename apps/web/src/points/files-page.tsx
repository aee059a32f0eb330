import { NativeSelect } from '@mantine/core';
import { IconFile, IconFileUnknown, IconFolder, IconLink } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import type { FileEntry, FileListing } from '../api/answers.ts';
import { call, linkTo } from '../api/calls.ts';
import { formatBytes, plural } from '../show/format.ts';
import { Notice } from '../show/notice.tsx';
import { Empty, Loaded, Page, Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { ProblemPage } from '../show/problem-page.tsx';
import { When } from '../show/when.tsx';
import { crumbsOf, pathBelow } from './path-bytes.ts';

const route = getRouteApi('/points/$repository/$pointId/files');
const AMONG = { to: '/vms', text: 'All VMs, and their restore points' } as const;
const ICONS = { file: IconFile, directory: IconFolder, symlink: IconLink, other: IconFileUnknown } as const;

/** Files of a restore point, read without mounting anything; the first look boots a small VM on the server and takes a while. */
export function FilesPage() {
  const params = route.useParams();
  const { filesystem, path = '' } = route.useSearch();
  const navigate = useNavigate({ from: '/points/$repository/$pointId/files' });
  const listing = useQuery({
    queryKey: ['files', params, filesystem, path],
    queryFn: ({ signal }) => call('listFiles', { params, query: { filesystem, path } }, { signal }),
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });
  const { repository, pointId } = params;
  const point = useQuery({ queryKey: ['point', repository, pointId], queryFn: ({ signal }) => call('getPoint', { params }, { signal }) });
  if (point.isLoadingError)
    return <ProblemPage what="restore point" named={`${repository}/${pointId}`} among={AMONG} error={point.error} onRetry={() => void point.refetch()} />;
  return (
    <Page
      title="Files"
      name="Files"
      lead={
        <span>
          of{' '}
          <Link to="/points/$repository/$pointId" params={params}>
            {point.data === undefined ? (
              pointId
            ) : (
              <>
                {point.data.vmName} as it was at <When at={point.data.capturedAt} seconds />
              </>
            )}
          </Link>
        </span>
      }
    >
      <Panel flush>
        <Loaded asked={listing} rows={8}>
          {(data) => (
            <>
              <div className="ov-row" style={{ padding: '0.6rem 0.75rem' }}>
                <Filesystems
                  filesystems={data.filesystems}
                  chosen={filesystem}
                  onChoose={(device) => void navigate({ to: '.', search: device === '' ? {} : { filesystem: device } })}
                />
                {filesystem !== undefined && <Crumbs filesystem={filesystem} path={path} />}
                {listing.isFetching && <span className="ov-dim">reading …</span>}
              </div>
              {filesystem === undefined ? (
                <Empty>{data.filesystems.length === 0 ? 'No file system was found in it.' : 'Choose a file system.'}</Empty>
              ) : (
                <>
                  {data.truncated && <Notice tone="warn">There is more in the directory than is shown.</Notice>}
                  <Entries entries={data.entries} filesystem={filesystem} path={path} />
                </>
              )}
            </>
          )}
        </Loaded>
      </Panel>
    </Page>
  );
}

function Filesystems({
  filesystems,
  chosen,
  onChoose,
}: {
  readonly filesystems: FileListing['filesystems'];
  readonly chosen: string | undefined;
  readonly onChoose: (device: string) => void;
}) {
  const data = filesystems.map(({ device, type, label }) => ({ value: device, label: [device, type, label].filter((part) => part !== undefined).join(' · ') }));
  return (
    <NativeSelect
      aria-label="file system"
      data={[{ value: '', label: plural(filesystems.length, 'file system') }, ...data]}
      value={chosen ?? ''}
      onChange={(event) => onChoose(event.currentTarget.value)}
    />
  );
}

function Crumbs({ filesystem, path }: { readonly filesystem: string; readonly path: string }) {
  return (
    <nav aria-label="directory">
      <Link to="." search={{ filesystem }}>
        {filesystem}:/
      </Link>
      {crumbsOf(path).map((crumb) => (
        <span key={crumb.path}>
          <Link to="." search={{ filesystem, path: crumb.path }}>
            {crumb.text}
          </Link>
          /
        </span>
      ))}
    </nav>
  );
}

function Entries({ entries, filesystem, path }: { readonly entries: readonly FileEntry[]; readonly filesystem: string; readonly path: string }) {
  const params = route.useParams();
  const contentOf = (entry: FileEntry): string => linkTo('readFile', { params, query: { filesystem, path: pathBelow(path, entry.nameBytes) } });
  const columns: readonly Column<FileEntry>[] = [
    { title: 'Name', cell: (entry) => <EntryName entry={entry} filesystem={filesystem} path={path} /> },
    { title: 'Size', cell: ({ type, sizeBytes }) => (type === 'file' ? formatBytes(sizeBytes) : ''), right: true },
    { title: 'Modified', cell: ({ modifiedAt }) => <When at={modifiedAt} /> },
    {
      title: 'Download',
      quiet: true,
      cell: (entry) =>
        (entry.type === 'file' || entry.type === 'directory') && (
          <a
            href={contentOf(entry)}
            download={entry.type === 'file' ? entry.name : `${entry.name}.tar`}
            aria-label={`${entry.type === 'file' ? 'Download' : 'As tar'}: ${entry.name}`}
          >
            {entry.type === 'file' ? 'Download' : 'As tar'}
          </a>
        ),
    },
  ];
  if (entries.length === 0) return <Empty>The directory is empty.</Empty>;
  return <PlainTable label="files" columns={columns} rows={entries} keyOf={({ nameBytes }) => nameBytes} />;
}

function EntryName({ entry, filesystem, path }: { readonly entry: FileEntry; readonly filesystem: string; readonly path: string }) {
  const Icon = ICONS[entry.type];
  return (
    <span className="ov-status">
      <Icon size={15} aria-label={entry.type} />
      {entry.type === 'directory' ? (
        <Link to="." search={{ filesystem, path: pathBelow(path, entry.nameBytes) }}>
          {entry.name}
        </Link>
      ) : (
        <span>
          {entry.name}
          {entry.target !== undefined && <span className="ov-dim"> → {entry.target}</span>}
        </span>
      )}
    </span>
  );
}
