import { describe, expect, test } from 'vitest';
import { unexecuted } from './elsewhere.ts';
import { missingLines } from './loosely.ts';
import { readPage } from './page.ts';

const page = (...lines: readonly string[]): ReturnType<typeof readPage> => readPage(lines.join('\n'));
const commands = (...lines: readonly string[]): unknown[] => page(...lines).steps.flatMap((step) => (step.kind === 'command' ? [step.text] : []));

describe('a page', () => {
  test('runs every block whose language does not say that it is read', () => {
    expect(commands('```', 'one', '```', '```sh', 'two', '', '# said', 'three', '```', '```yaml', 'a: 1', '```')).toEqual(['one', 'two', 'three']);
    expect(page('```fish', 'ls', '```').problems).toEqual([expect.stringContaining("a block of 'fish'")]);
  });

  test('hides no command in a block of text', () => {
    expect(page('```text', 'backup vm=1 result=ok', '```').problems).toEqual([]);
    expect(page('```text', 'systemctl stop onevault', '```').problems).toEqual(['line 2: a command in a block of text: systemctl stop onevault']);
    expect(page('```text', 'onevault backup web', '```').problems).toHaveLength(1);
  });

  test('keeps a command together over its lines', () => {
    const loop = 'for vm in web db; do\n  onevault backup $vm\ndone';
    const here = "cat > plan.yaml <<'EOF'\nversion: 1\nEOF";
    expect(commands('```sh', ...loop.split('\n'), ...here.split('\n'), 'onevault \\', '  vm list', "echo 'a", "b'", 'last', '```')).toEqual([
      loop,
      here,
      'onevault \\\n  vm list',
      "echo 'a\nb'",
      'last',
    ]);
  });

  test('says how a command ends and what it prints', () => {
    const { steps } = page('```console', '$ onevault plan web    # exit code 4', 'VM 1 web', '$ true', '```');
    expect(steps).toMatchObject([
      { text: 'onevault plan web    # exit code 4', exit: 4, shown: ['VM 1 web'], line: 2 },
      { text: 'true', exit: 0, shown: [] },
    ]);
  });

  test('has entries of a crontab run as what they start', () => {
    expect(commands('```crontab', '15 2 * * *  root  onevault backup --all -q', '```')).toEqual(['onevault backup --all -q']);
  });

  test('names who executes what cannot run here, and that file must name it', () => {
    const block = (by: string, command: string): string[] => page(`<!-- executed by: ${by} -->`, '```sh', command, '```').elsewhere.flatMap(unexecuted);
    expect(block('.ci/run', 'npm run demo')).toEqual([]);
    expect(block('.ci/run', 'systemctl restart onevault')).toEqual([expect.stringContaining("does not name 'systemctl', 'restart'")]);
    expect(block('.ci/nowhere', 'true')).toEqual([expect.stringContaining('no such file')]);
    expect(page('<!-- executed by: .ci/run -->', 'prose', '```sh', 'ls', '```').problems).toEqual([expect.stringContaining('is above no block')]);
  });
});

describe('what a page shows', () => {
  test('may differ in ids, times and sizes', () => {
    const shown = ['backup vm=1 result=ok point=20261122t184334-k3f9ab read=4.0MiB duration=1.2s', 'at 2026-11-22 18:43:34', 'ready uri=…'];
    const printed = 'ready uri=nbd://x\nat 2027-01-02 03:04:05\nbackup vm=1   result=ok point=20270102t030405-aaaaaa read=812.5KiB duration=3m12s\n';
    expect(missingLines(shown, printed)).toEqual([]);
  });

  test('must not differ in words and counts', () => {
    expect(missingLines(['recover result=ok runs=1'], 'recover result=residue runs=1\n')).toEqual(['recover result=ok runs=1']);
    expect(missingLines(['recover result=ok runs=1'], 'recover result=ok runs=2\n')).toEqual(['recover result=ok runs=1']);
  });
});
