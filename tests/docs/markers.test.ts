import { describe, expect, test } from 'vitest';
import { unexecuted } from './elsewhere.ts';
import { readPages } from './pages.ts';

/** Why a block is not executed by tests/docs itself. What is new here needs a reason as good. */
const REASONS: Readonly<Record<string, string>> = {
  'README.md: npm run demo': 'stages of .ci/run, whose tests would start themselves',
};

describe('blocks that another file executes', () => {
  const pages = readPages();
  const marked = pages.flatMap(({ name, page }) => page.elsewhere.map((block) => ({ ...block, title: `${name}: ${block.commands[0]?.split(/\s+#/)[0]}` })));

  test('are those that cannot run here, each for a reason that is listed', () => {
    expect(marked.map(({ title }) => title).filter((title) => !Object.hasOwn(REASONS, title))).toEqual([]);
    expect(Object.keys(REASONS).filter((title) => !marked.some((block) => block.title === title))).toEqual([]);
    const here = pages.reduce((sum, { page }) => sum + page.blocks, 0);
    process.stdout.write(`${here + marked.length} blocks: ${here} executed by tests/docs, ${marked.length} elsewhere\n`);
  });

  test('are named there', () => {
    expect(marked.flatMap(unexecuted)).toEqual([]);
  });

  test('and no page has a block that it does not say how to run', () => {
    expect(pages.flatMap(({ name, page }) => page.problems.map((problem) => `${name}: ${problem}`))).toEqual([]);
    const names = pages.map(({ name }) => name);
    expect(pages.flatMap(({ page }) => page.after.filter((before) => !names.includes(before)))).toEqual([]);
  });
});
