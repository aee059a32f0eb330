/** `npm test`: the whole workspace in one vitest run; the last line is the tally alone. Extra arguments go to vitest. */
import { endLike } from './tools/child.mjs';
import { formatTally, runVitest } from './tools/vitest-run.mjs';

const { end, tally } = await runVitest(process.execPath, process.argv.slice(2));
process.stdout.write(`${formatTally(tally)}\n`);
endLike(end);
if (tally.failed > 0) process.exitCode ||= 1;
