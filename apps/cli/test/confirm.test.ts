import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { CommandContext } from '../src/command-context.ts';
import { confirm } from '../src/confirm.ts';
import { recordedOutput } from './support/recorder.ts';

type Asked = Pick<CommandContext, 'around' | 'output' | 'signal'>;

function asked(typed: string | undefined, options: { readonly isTTY?: boolean; readonly mode?: 'json' | 'text'; readonly signal?: AbortSignal } = {}) {
  const { isTTY = true, mode = 'text', signal = new AbortController().signal } = options;
  const stdin = Object.assign(new PassThrough(), { isTTY });
  if (typed !== undefined) stdin.end(typed);
  const output = recordedOutput({ mode });
  const around = { env: {}, cwd: '/', isRoot: false, stderrIsTerminal: true, stdoutIsTerminal: true, stdin };
  const context: Asked = { around, output, signal };
  return { answer: confirm(context as CommandContext, '99 restore points will be forgotten.'), output };
}

describe('a question on a terminal', () => {
  test.each([
    ['yes\n', true],
    ['  YES \n', true],
    ['y\n', false],
    ['no\n', false],
    ['\n', false],
    ['', false],
  ])('%j answers %s', async (typed, answer) => {
    const { answer: given, output } = asked(typed);
    expect(await given).toBe(answer);
    expect(output.err()).toContain('99 restore points');
  });

  test('is not asked where nobody can answer', async () => {
    for (const options of [{ isTTY: false }, { mode: 'json' as const }]) {
      const { answer, output } = asked('no\n', options);
      expect(await answer).toBe(true);
      expect(output.err()).toBe('');
    }
  });

  test('ends with the signal', async () => {
    const controller = new AbortController();
    const reason = new Error('cancelled');
    const { answer } = asked(undefined, { signal: controller.signal });
    controller.abort(reason);
    await expect(answer).rejects.toBe(reason);
  });
});
