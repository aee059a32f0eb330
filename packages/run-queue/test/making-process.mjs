// A process that makes the data directory of a new database and is killed when so many of its files are there: node making-process.mjs DIRECTORY FILES
import { promises } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const [, , directory, files] = process.argv;
const { writeFile } = promises;
let made = 0;
promises.writeFile = async (...file) => {
  if (++made > Number(files)) process.kill(process.pid, 'SIGKILL');
  await writeFile(...file);
};
syncBuiltinESMExports();

const { openDatabase } = await import('@onevault/run-queue');
const { systemClock } = await import('@onevault/base');
await openDatabase({ kind: 'embedded', directory }, { clock: systemClock });
