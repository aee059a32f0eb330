import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { unexecuted } from './elsewhere.ts';
import { readPages } from './pages.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** These take the blocks from the pages and run them as they stand: nothing can go stale. */
const TAKES_THE_BLOCK: ReadonlySet<string> = new Set(['.ci/deb', '.ci/container', 'tests/docs/server-roles.test.ts']);

/** Why another file executes only what resembles the block. What is new here needs a reason as good. */
const REASONS: Readonly<Record<string, string>> = {
  'README.md: npm run demo': 'stages of .ci/run: the tests would start themselves',
  'README.md: tar xzf onevault-0.1.0-linux-x64.tar.gz -C /opt': 'the bundle takes minutes to build; bundle.test.mjs and .ci/offline unpack and use it',
  'docs/testing.md: ONEVAULT_REAL=1 … npm test': 'needs a real OpenNebula',
  'docs/testing.md: ONEVAULT_REAL=1 … node onevault-*-linux-x64/share/try-cloud/main.mjs':
    'needs a real OpenNebula; the same program runs against the simulator',
  'docs/operate/server.md: onevault demo --serve': 'a cloud and a server of its own once more; its test starts it and signs in',
  'docs/operate/exporting.md: onevault export latest --vm web --disk 0 --to-device /dev/vg/web': 'wants a block device; its test takes a loop device',
  'docs/operate/files.md: apt-get install guestfish qemu-utils linux-image-cloud-amd64': 'changes the machine; .ci/run installs them',
  'docs/operate/files.md: onevault files filesystems latest --vm web': 'a micro-VM, 13 s without KVM, for each command; its test has one for all',
  'docs/operate/files.md: onevault files ls latest --vm web /etc --fs /dev/vg/root': 'the same',
  'docs/operate/remote.md: onevault files filesystems latest --vm web': 'the same, at the server',
  'docs/operate/nbd.md: guestfish --ro': 'the same, and a disk with an operating system',
};

describe('blocks that another file executes', () => {
  const pages = readPages();
  const marked = pages.flatMap(({ name, page }) => page.elsewhere.map((block) => ({ ...block, page: name, title: titleOf(name, block.commands[0] ?? '') })));
  const alike = marked.filter(({ by }) => !TAKES_THE_BLOCK.has(by));

  test('but are not taken from the page are those that cannot run here, each for a reason that is listed', () => {
    expect(alike.map(({ title }) => title).filter((title) => !Object.hasOwn(REASONS, title))).toEqual([]);
    expect(Object.keys(REASONS).filter((title) => !alike.some((block) => block.title === title))).toEqual([]);
    const here = pages.reduce((sum, { page }) => sum + page.blocks, 0);
    const taken = marked.length - alike.length;
    process.stdout.write(
      `${here + marked.length} blocks: ${here} executed by tests/docs, ${taken} by what takes them from the page, ${alike.length} by marker\n`,
    );
  });

  test('are named there', () => {
    expect(alike.flatMap(unexecuted)).toEqual([]);
  });

  test('are all taken by .ci/deb', () => {
    const script = readFileSync(join(ROOT, '.ci/deb'), 'utf8');
    const taken = new Set([...script.matchAll(/^typed (\S+ \d+)$/gm)].map(([, block = '']) => block));
    const there = pages.flatMap(({ name, page }) =>
      page.elsewhere.filter(({ by }) => by === '.ci/deb').map((_, index) => `${basename(name, '.md')} ${index + 1}`),
    );
    expect([...taken].sort()).toEqual(there.sort());
  });

  test('and no page has a block that it does not say how to run', () => {
    expect(pages.flatMap(({ name, page }) => page.problems.map((problem) => `${name}: ${problem}`))).toEqual([]);
    const names = pages.map(({ name }) => name);
    expect(pages.flatMap(({ page }) => page.after.filter((before) => !names.includes(before)))).toEqual([]);
  });
});

/** The page and the first words of the block. */
function titleOf(page: string, command: string): string {
  const words = command
    .split(/\s+#/, 1)[0]
    ?.replace(/^ONEVAULT_REAL=1 [\s\S]*?(?=npm|node)/, 'ONEVAULT_REAL=1 … ')
    .replace(/(npm test) -- .*/, '$1')
    .replace(/(guestfish --ro) .*/, '$1');
  return `${page}: ${words}`;
}
