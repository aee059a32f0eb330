import { describe, type ExpectStatic } from 'vitest';
import { testWith } from '../support/requires.ts';
import { missingLines } from './loosely.ts';
import type { Step } from './page.ts';
import { openPageShell, type PageShell } from './page-shell.ts';
import { readPages } from './pages.ts';

const PAGE_TIMEOUT_MS = 400_000;

/** Every command that the documentation shows is executed: here, or by what its page names (markers.test.ts). */
describe.concurrent('the commands of', () => {
  for (const chain of longestFirst(chains(readPages())))
    testWith(
      chain.flatMap(({ page }) => page.needs),
      `${chain.map(({ name }) => name).join(', then ')} do what they say`,
      async ({ expect }) => {
        await using shell = await openPageShell();
        for (const { name, page } of chain) for (const step of page.steps) await take(shell, name, step, expect);
      },
      PAGE_TIMEOUT_MS,
    );
});

type Named = ReturnType<typeof readPages>[number];

/** Each page with those that go on in its shell behind it. */
function chains(pages: readonly Named[]): readonly (readonly Named[])[] {
  const behind = (before: Named): readonly Named[] => [before, ...pages.filter(({ page }) => page.after.includes(before.name)).flatMap(behind)];
  return pages.filter(({ page }) => page.after.length === 0 && page.steps.length > 0).map(behind);
}

/** So that none is alone at the end. */
const longestFirst = (all: readonly (readonly Named[])[]): (readonly Named[])[] => [...all].sort((a, b) => stepsOf(b) - stepsOf(a));

const stepsOf = (chain: readonly Named[]): number => chain.reduce((sum, { page }) => sum + page.steps.length, 0);

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
  const began = performance.now();
  const { exit, printed } = step.goesOn === undefined ? await shell.run(step.text) : await shell.begin(step.text, step.goesOn);
  const told = `${where}: ${step.text}\n${printed}`;
  if (process.env['ONEVAULT_SHOW_PAGES'] === '1') process.stdout.write(`${told}= ${exit} after ${Math.round(performance.now() - began)} ms\n`);
  expect.soft(exit, told).toBe(step.exit);
  expect.soft(missingLines(step.shown, printed), told).toEqual([]);
}
