import { silentLogger, systemClock } from '@onevault/base';
import { openDatabase, type RunRecord, Runs, serveRuns } from '@onevault/run-queue';

/** Queues a backup of VM 17, and is the worker that does it. */
export async function backUpOnce(directory: string, newId: () => string): Promise<RunRecord> {
  await using database = await openDatabase({ kind: 'embedded', directory }, { clock: systemClock });
  const runs = new Runs(database, newId);
  await runs.setCaps({ vm: 1, host: 2, total: 8 });
  const asked = { kind: 'backup', request: { repository: 'main' }, vmId: 17, origin: { kind: 'user', name: 'alice' } } as const;
  const needed = { holds: ['vm:17', 'host:kvm-3', 'total'], reach: ['datastore-100'] };
  const { run } = await runs.queue({ ...asked, ...needed, priority: 50, retry: { times: 2, afterMs: 600_000 } });
  const stop = new AbortController();
  const worker = {
    name: 'proxy-1',
    reach: new Set(['datastore-100']),
    concurrency: 2,
    cleanUp: async () => undefined, // of what a dead worker noted
    execute: async ({ event }) => {
      event('backup.done', { bytes: 4096 });
      stop.abort();
      return { state: 'succeeded', report: { bytes: 4096 } };
    },
  } satisfies Parameters<typeof serveRuns>[1];
  await serveRuns({ database, clock: systemClock, logger: silentLogger }, worker, { signal: stop.signal });
  return await runs.get(run.id);
}
