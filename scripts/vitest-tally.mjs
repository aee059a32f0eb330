import { writeFileSync, writeSync } from 'node:fs';
import { formatTally } from './tools/vitest-run.mjs';

/**
 * A vitest reporter that ends the output with `N passed, N failed[, N skipped]` alone on the last line.
 * With ONEVAULT_TALLY_FILE set, the counts go to that file as JSON for the caller to print after vitest is gone.
 * Besides failed tests it counts what else makes a run worthless: files that did not load, hooks that failed, errors nobody caught, no test at all.
 */
export default class TallyReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const tally = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    const notes = new Map();
    for (const module of modules) countModule(module, tally, notes);
    if (tally.passed + tally.failed === 0) {
      process.stdout.write('\nNo test was executed; that counts as one failure.\n');
      tally.failed = 1;
      process.exitCode = 1;
    }
    for (const [note, count] of notes) process.stdout.write(`skipped ${count}: ${note}\n`);
    publish(tally);
  }
}

function countModule(module, tally, notes) {
  tally.failed += module.errors().length;
  for (const suite of module.children.allSuites()) tally.failed += suite.errors().length;
  for (const test of module.children.allTests()) {
    const { state, note } = test.result();
    if (state === 'passed') tally.passed += 1;
    else if (state === 'failed') tally.failed += 1;
    else tally.skipped += 1;
    if (state === 'skipped' && note) notes.set(note, (notes.get(note) ?? 0) + 1);
  }
}

function publish(tally) {
  const file = process.env.ONEVAULT_TALLY_FILE;
  if (file) writeFileSync(file, JSON.stringify(tally));
  else process.once('exit', () => writeSync(1, `${formatTally(tally)}\n`));
}
