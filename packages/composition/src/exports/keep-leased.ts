import type { ReadingLease, Repository, RestorePoint } from '@onevault/backup-format';
import { type CallOptions, type Clock, errorCode, isAbort } from '@onevault/base';

export interface LeaseKeeperDeps {
  readonly repository: Pick<Repository, 'leaseForReading'>;
  readonly clock: Clock;
  /** For people: protection is weaker than it should be. */
  readonly warn: (text: string) => void;
  /** What `repo leases` says is done with the point; default: serving. */
  readonly purpose?: string;
}

/** Where nothing can be written there are no leases; what is read there is protected by its manifest alone. */
const UNWRITABLE: readonly (string | undefined)[] = ['REPO_NOT_WRITABLE', 'REPO_ACCESS_DENIED', 'REPO_NO_SPACE', 'REPO_OBJECT_LOCKED'];
const RETRY_MS = 60_000;

/**
 * Holds leases on points until it is disposed: one that is lost is taken anew, and whoever listens hears of it. Throws when a point is gone or the repository fails
 * at the beginning; later on, reading goes on without a lease, since every block is checked by its digest.
 */
export async function keepLeased(deps: LeaseKeeperDeps, points: readonly RestorePoint[], options: CallOptions): Promise<AsyncDisposable> {
  const ended = new AbortController();
  const keepers: Promise<void>[] = [];
  const end = async (): Promise<void> => {
    ended.abort();
    await Promise.all(keepers);
  };
  try {
    for (const point of points) {
      const lease = await take(deps, point, options);
      if (lease) keepers.push(keep(deps, point, lease, ended.signal));
    }
  } catch (error) {
    await end();
    throw error;
  }
  return { [Symbol.asyncDispose]: end };
}

async function take({ repository, warn, purpose = 'serving' }: LeaseKeeperDeps, point: RestorePoint, options: CallOptions): Promise<ReadingLease | undefined> {
  try {
    return await repository.leaseForReading(point, `${purpose} ${point.id}`, options);
  } catch (error) {
    if (!UNWRITABLE.includes(errorCode(error))) throw error;
    warn(`${point.id} is read without a lease, since the repository cannot be written: do not forget it meanwhile`);
    return undefined;
  }
}

async function keep(deps: LeaseKeeperDeps, point: RestorePoint, first: ReadingLease, ended: AbortSignal): Promise<void> {
  let lease: ReadingLease | undefined = first;
  while (lease) {
    await either(ended, lease.signal);
    await lease[Symbol.asyncDispose]();
    if (ended.aborted) return;
    deps.warn(`the lease on ${point.id} was lost: it is not protected from gc until there is another one`);
    lease = await takeAgain(deps, point, ended);
  }
}

async function takeAgain(deps: LeaseKeeperDeps, point: RestorePoint, ended: AbortSignal): Promise<ReadingLease | undefined> {
  for (;;) {
    try {
      return await take(deps, point, { signal: ended });
    } catch (error) {
      if (isAbort(error)) return undefined;
      if (errorCode(error) === 'REPO_POINT_NOT_FOUND') {
        deps.warn(`${point.id} was forgotten while there was no lease: blocks that gc takes will be read errors`);
        return undefined;
      }
      if (
        await deps.clock.sleep(RETRY_MS, { signal: ended }).then(
          () => false,
          () => true,
        )
      )
        return undefined;
    }
  }
}

function either(a: AbortSignal, b: AbortSignal): Promise<void> {
  const both = AbortSignal.any([a, b]);
  return new Promise((resolve) => {
    if (both.aborted) resolve();
    both.addEventListener('abort', () => resolve(), { once: true });
  });
}
