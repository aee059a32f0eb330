// A worker of the server in a process of its own, on built packages, so that a test can kill it: node worker-process.mjs '<JSON of WorkerProcess>'; places are in the environment
import { appendFileSync } from 'node:fs';
import { Secret, systemClock } from '@onevault/base';
import { resolveSettings } from '@onevault/composition';
import { openDatabase } from '@onevault/run-queue';
import { Redactor, ServerWorker } from '@onevault/server';

const { name, databaseUrl, heartbeatSeconds, slots, secretsDirectory, log } = JSON.parse(process.argv[2]);
const say = (level) => (fields, text) => appendFileSync(log, `${JSON.stringify({ level, text, ...fields })}\n`);
const logger = { debug: () => undefined, info: () => undefined, warn: say('warn'), error: say('error'), child: () => logger };
const database = await openDatabase({ kind: 'postgresql', url: new Secret(databaseUrl) }, { clock: systemClock, heartbeatSeconds });
const settings = resolveSettings({ cache: false }, { env: process.env, cwd: process.cwd(), isRoot: false });
const worker = new ServerWorker({ settings, secretsDirectory, env: process.env, clock: systemClock, logger, redactor: new Redactor(), scanWorkers: 1 }, database, { name, slots });
await worker.start();
process.stdout.write('at work\n');
process.once('SIGTERM', async () => {
  await worker[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  process.exit(0);
});
