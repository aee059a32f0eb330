/** `npm run test:matrix`: the suite under the newer Node lines that we support, from npm's own copies of the official binaries. */
import { delimiter } from 'node:path';
import { TaskError } from './tools/child.mjs';
import { fetchTool } from './tools/fetch-tool.mjs';
import { PINNED } from './tools/pinned.mjs';
import { step } from './tools/step.mjs';
import { formatTally, runVitest } from './tools/vitest-run.mjs';

if (process.platform !== 'linux' || process.arch !== 'x64')
  throw new TaskError(`the matrix has binaries for linux-x64 only; this is ${process.platform}-${process.arch}`);

const total = { passed: 0, failed: 0, skipped: 0 };
for (const tool of PINNED.matrix) {
  let binDir;
  await step(`Node ${tool.version}`, async () => {
    const fetched = await fetchTool(tool);
    binDir = fetched.binDir;
    return fetched.fetched ? 'fetched' : undefined;
  });
  const env = { ...process.env, PATH: [binDir, process.env.PATH].join(delimiter) };
  const { end, tally } = await runVitest(`${binDir}/node`, process.argv.slice(2), env);
  process.stdout.write(`Node ${tool.version}: ${formatTally(tally)}\n\n`);
  for (const key of Object.keys(total)) total[key] += tally[key];
  if (end.code !== 0 || tally.failed > 0) process.exitCode = 1;
  if (end.signal === 'SIGINT' || end.code === 130) break;
}
process.stdout.write(`${formatTally(total)}\n`);
