#!/usr/bin/env node
/**
 * What stands behind `npm run <task>` on a machine with nothing but Node and npm: gets the pinned pnpm, installs, builds, runs the task
 * with the remaining arguments. No dependency, and nothing here may be newer than what an old Node can parse: the first thing it does is
 * to say that Node is too old.
 */
const NEEDED = [20, 19];

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  process.stderr.write(
    `onevault needs Node ${NEEDED.join('.')} or newer; this is ${process.version} (${process.execPath}).\n` +
      'Install a newer one from https://nodejs.org/ or your distribution; Node 24 is recommended.\n',
  );
  process.exit(1);
}

import('./tools/tasks.mjs')
  .then(({ runTask }) => runTask(process.argv[2], process.argv.slice(3)))
  .catch((error) => {
    process.stderr.write(`${error?.name === 'TaskError' ? error.message : (error?.stack ?? String(error))}\n`);
    if (process.argv[2] === 'test') process.stdout.write('0 passed, 1 failed\n'); // CI reads the last line, also when nothing could be run
    process.exitCode = 1;
  });
