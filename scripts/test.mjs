/** `npm test`: the whole workspace in one vitest run; the last line is the tally alone. Extra arguments go to vitest. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { endLike, run } from './tools/child.mjs';
import { ROOT } from './tools/paths.mjs';

const scratch = await mkdtemp(`${tmpdir()}/onevault-tally-`);
const tallyFile = `${scratch}/tally`;
try {
  const vitest = [`${ROOT}node_modules/vitest/vitest.mjs`, 'run', ...process.argv.slice(2)];
  const result = await run(process.execPath, vitest, { cwd: ROOT, env: { ...process.env, ONEVAULT_TALLY_FILE: tallyFile } });
  const tally = await readFile(tallyFile, 'utf8').catch(() => undefined);
  // No tally: vitest did not get as far as its reporters. That is one failure, whatever code it ended with.
  process.stdout.write(`${tally ?? '0 passed, 1 failed'}\n`);
  endLike(result);
  if (tally === undefined || !/, 0 failed/.test(tally)) process.exitCode ||= 1;
} finally {
  await rm(scratch, { recursive: true, force: true });
}
