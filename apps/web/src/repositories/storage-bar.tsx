import type { Repository } from '../api/answers.ts';
import { formatBytes, formatShare, plural } from '../show/format.ts';
import { Reasons } from '../show/reasons.tsx';
import { Status } from '../show/status.tsx';

/** Above so much of a disk, space is about to be missing. */
const NEARLY_FULL = 0.85;
const FULL = 0.95;

function RepositoryStatus({ repository }: { readonly repository: Repository }) {
  if (!repository.reachable) return <Status tone="bad">not reachable</Status>;
  if ((repository.damagedPoints ?? 0) > 0) return <Status tone="bad">{plural(repository.damagedPoints ?? 0, 'damaged restore point')}</Status>;
  return <Status tone="ok">reachable</Status>;
}

/** How full a repository is. One that does not answer says so and shows what was last known. */
export function StorageBar({ repository }: { readonly repository: Repository }) {
  const { name, storedBytes, freeBytes, points, problem } = repository;
  const used = storedBytes !== undefined && freeBytes !== undefined ? storedBytes / Math.max(1, storedBytes + freeBytes) : undefined;
  const tone = used === undefined || used < NEARLY_FULL ? 'busy' : used < FULL ? 'warn' : 'bad';
  return (
    <div>
      <div className="ov-row" style={{ justifyContent: 'space-between' }}>
        <strong>{name}</strong>
        <RepositoryStatus repository={repository} />
      </div>
      {used !== undefined && storedBytes !== undefined && freeBytes !== undefined && (
        <div
          className={`ov-bar ov-bar-${tone}`}
          role="img"
          aria-label={`${formatShare(storedBytes, storedBytes + freeBytes)} used`}
          style={{ margin: '0.3rem 0' }}
        >
          <span style={{ width: `${Math.max(0.5, 100 * used)}%` }} />
        </div>
      )}
      <div className="ov-dim">
        {[
          storedBytes === undefined ? undefined : `${formatBytes(storedBytes)} stored`,
          freeBytes === undefined ? undefined : `${formatBytes(freeBytes)} free`,
          points === undefined ? undefined : plural(points, 'restore point'),
          tone === 'busy' ? undefined : 'space is running out',
        ]
          .filter((part) => part !== undefined)
          .join(' · ')}
      </div>
      {problem !== undefined && <Reasons reasons={[problem]} />}
    </div>
  );
}
