import { writeFileSync, writeSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { formatTally } from './tools/vitest-run.mjs';

/**
 * A vitest reporter that ends the output with `N passed, N failed[, N skipped]` alone on the last line.
 * With ONEVAULT_TALLY_FILE set, the counts go to that file as JSON for the caller to print after vitest is gone.
 * Besides failed tests it counts what else makes a run worthless: files that did not load, hooks that failed, errors nobody caught, no test at all.
 * Each failure is named once more at the end, in a line that begins with FAILED: of a long output often only the end is kept.
 */
export default class TallyReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const tally = { passed: 0, failed: 0, skipped: 0 };
    const notes = new Map();
    const failures = [];
    const fail = (where, errors) => {
      tally.failed += 1;
      failures.push(`FAILED ${where}: ${firstLine(errors)}`);
    };
    for (const module of modules) countModule(module, tally, notes, fail);
    for (const error of unhandledErrors) fail('outside of every test', [error]);
    if (tally.passed + tally.failed === 0) {
      process.stdout.write('\nNo test was executed; that counts as one failure.\n');
      tally.failed = 1;
      process.exitCode = 1;
    }
    for (const [note, count] of notes) process.stdout.write(`skipped ${count}: ${note}\n`);
    for (const failure of failures) process.stdout.write(`${failure}\n`);
    publish(tally);
  }
}

function countModule(module, tally, notes, fail) {
  const file = module.relativeModuleId;
  for (const error of module.errors()) fail(file, [error]);
  for (const suite of module.children.allSuites()) {
    for (const error of suite.errors()) fail(`${file} > ${suite.fullName}`, [error]);
  }
  for (const test of module.children.allTests()) {
    const { state, note, errors } = test.result();
    if (state === 'passed') tally.passed += 1;
    else if (state === 'failed') fail(`${file} > ${test.fullName}`, errors);
    else tally.skipped += 1;
    if (state === 'skipped' && note) notes.set(note, (notes.get(note) ?? 0) + 1);
  }
}

/** What the first of `errors` says, in one line of at most 200 characters. */
function firstLine(errors) {
  const line = stripVTControlCharacters(errors?.[0]?.message ?? '')
    .trim()
    .split('\n', 1)[0];
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}

function publish(tally) {
  const file = process.env.ONEVAULT_TALLY_FILE;
  if (file) writeFileSync(file, JSON.stringify(tally));
  else process.once('exit', () => writeSync(1, `${formatTally(tally)}\n`));
}
