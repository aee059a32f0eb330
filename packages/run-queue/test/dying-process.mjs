// A server with the embedded database that has begun a run and noted what it is about to do, until it is killed; on built packages: node dying-process.mjs DIRECTORY
import { silentLogger, systemClock } from '@onevault/base';
import { openDatabase, Runs, serveRuns } from '@onevault/run-queue';

const database = await openDatabase({ kind: 'embedded', directory: process.argv[2] }, { clock: systemClock });
const spec = {
  kind: 'backup',
  request: {},
  vmId: 17,
  origin: { kind: 'user', name: 'alice' },
  priority: 50,
  holds: ['vm:17'],
  reach: [],
  retry: { times: 0, afterMs: 0 },
};
await new Runs(database, () => 'run-1').queue(spec);
const worker = {
  name: 'all',
  reach: new Set(),
  concurrency: 1,
  cleanUp: async () => undefined,
  async execute({ note }) {
    await note({ journal: ['j-1'] });
    process.stdout.write('noted\n');
    await new Promise(() => undefined);
  },
};
await serveRuns({ database, clock: systemClock, logger: silentLogger }, worker, { signal: new AbortController().signal });
