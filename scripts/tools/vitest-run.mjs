import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { run } from './child.mjs';
import { ROOT } from './paths.mjs';

const NO_TALLY = { passed: 0, failed: 1, skipped: 0 };

/**
 * One vitest run over the whole workspace by the Node at `node`. The tally comes from our reporter through a file, so that the caller can print it
 * when vitest has said its last word. No tally means that vitest did not get as far as its reporters: that is one failure.
 */
export async function runVitest(node, args, env = process.env) {
  const scratch = await mkdtemp(`${tmpdir()}/onevault-tally-`);
  try {
    const file = `${scratch}/tally`;
    const vitest = [`${ROOT}node_modules/vitest/vitest.mjs`, 'run', ...args];
    const end = await run(node, vitest, { cwd: ROOT, env: { ...env, ONEVAULT_TALLY_FILE: file } });
    const tally = await readFile(file, 'utf8').then(JSON.parse, () => NO_TALLY);
    return { end, tally };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** `N passed, N failed`, and what was skipped if anything was: the line that CI reads. */
export function formatTally({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
