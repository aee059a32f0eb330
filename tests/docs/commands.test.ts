import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, type ExpectStatic, test } from 'vitest';
import { testWith } from '../support/requires.ts';
import { unexecuted } from './elsewhere.ts';
import { missingLines } from './loosely.ts';
import { readPage, type Step } from './page.ts';
import { openPageShell, type PageShell } from './page-shell.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const PAGE_TIMEOUT_MS = 400_000;
/** What shows commands to those who run a cloud or write programs around it. */
const PAGES = ['README.md', 'CONTRIBUTING.md', 'apps/cli/README.md', 'apps/server/README.md', ...pagesOf('docs'), ...pagesOf('docs/operate')];

function pagesOf(directory: string): string[] {
  return readdirSync(join(ROOT, directory)).flatMap((name) => (name.endsWith('.md') ? [`${directory}/${name}`] : []));
}

/** Every command that the documentation shows is executed: here, or by the test that its page names. */
describe.concurrent('the commands of', () => {
  for (const name of PAGES.filter((page) => existsSync(join(ROOT, page)))) {
    const page = readPage(readFileSync(join(ROOT, name), 'utf8'));
    test(`${name} say how they are run`, ({ expect }) => {
      expect([...page.problems, ...page.elsewhere.flatMap(unexecuted)]).toEqual([]);
    });
    if (page.steps.length > 0)
      testWith(
        page.needs,
        `${name} do what it says`,
        async ({ expect }) => {
          await using shell = await openPageShell();
          for (const step of page.steps) await take(shell, name, step, expect);
        },
        PAGE_TIMEOUT_MS,
      );
  }
});

/** `expect` of the test itself: several run at a time. */
async function take(shell: PageShell, page: string, step: Step, expect: ExpectStatic): Promise<void> {
  const where = `${page}:${step.line}`;
  if (step.kind === 'file') return await shell.write(step.path, step.content);
  if (step.kind === 'killed') return await shell.kill(step.command, step.during);
  if (step.kind === 'here') {
    const { exit, printed } = await shell.run(step.command);
    expect.soft(exit, `${where}: ${step.command}\n${printed}`).toBe(0);
    return shell.say(step.word, printed.trim());
  }
  const { exit, printed } = step.goesOn === undefined ? await shell.run(step.text) : await shell.begin(step.text, step.goesOn);
  const told = `${where}: ${step.text}\n${printed}`;
  if (process.env['ONEVAULT_SHOW_PAGES'] === '1') process.stdout.write(`${told}= ${exit}\n`);
  expect.soft(exit, told).toBe(step.exit);
  expect.soft(missingLines(step.shown, printed), told).toEqual([]);
}
