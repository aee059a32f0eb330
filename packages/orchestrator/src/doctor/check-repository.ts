import type { Repository } from '@onevault/backup-format';
import type { CallOptions, Clock } from '@onevault/base';
import { type Checked, ok, trouble } from './finding.ts';

const DAY_MS = 24 * 3_600_000;
/** Longer than this nobody knows whether what was stored can still be read. */
const VERIFY_DAYS = 31;

interface RepositoryDeps {
  readonly openRepository: ((options: CallOptions) => Promise<Repository>) | undefined;
  readonly clock: Clock;
}

/** Opens, with the key that was given; lists; and knows when it was last read through. */
export async function* checkRepository({ openRepository, clock }: RepositoryDeps, options: CallOptions): Checked {
  if (openRepository === undefined) {
    yield trouble('repository', 'unknown', 'REPOSITORY_UNSET', 'repository', 'none is named', 'name it with --repo or ONEVAULT_REPO to have it looked at');
    return;
  }
  await using repository = await openRepository(options);
  const subject = repository.location;
  const stats = await repository.stats(options);
  yield ok('repository', 'REPOSITORY_OPENS', subject, `opens and lists: ${stats.points} restore points of ${stats.groups} VMs`);
  if (stats.unreadablePoints > 0)
    yield trouble(
      'repository',
      'problem',
      'REPOSITORY_DAMAGED',
      subject,
      `${stats.unreadablePoints} manifests cannot be read`,
      'onevault point list names them; onevault repo repair',
    );
  yield* verifyFindings(repository, stats.points, clock, options);
}

async function* verifyFindings(repository: Repository, points: number, clock: Clock, options: CallOptions): Checked {
  const subject = repository.location;
  const read = (await repository.verifyRecords(options)).filter((record) => record.mode !== 'structure');
  const last = read.at(-1);
  if (points === 0) return;
  if (last === undefined) {
    yield trouble(
      'repository',
      'warning',
      'REPOSITORY_NEVER_VERIFIED',
      subject,
      'no data in it was ever read back',
      'onevault verify once, then onevault verify --mode sample=5% after every backup',
    );
    return;
  }
  if (last.counts.damaged > 0) {
    yield trouble(
      'repository',
      'problem',
      'REPOSITORY_DAMAGED',
      subject,
      `the last verify found ${last.counts.damaged} damaged objects`,
      'onevault point list says which points are touched; back up again, then onevault repo repair',
    );
    return;
  }
  const days = Math.floor((clock.now().getTime() - Date.parse(last.finishedAt)) / DAY_MS);
  if (days > VERIFY_DAYS)
    yield trouble('repository', 'warning', 'REPOSITORY_VERIFY_OLD', subject, `data was last read back ${days} days ago`, 'onevault verify');
  else yield ok('repository', 'REPOSITORY_VERIFIED', subject, `data was last read back on ${last.finishedAt}, nothing damaged`);
}
