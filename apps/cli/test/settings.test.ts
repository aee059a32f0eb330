import { describe, expect, test } from 'vitest';
import { resolveSettings, type Surroundings } from '../src/settings.ts';

const around = (env: Surroundings['env'] = {}, rest: Partial<Surroundings> = {}): Surroundings => ({
  env: { HOME: '/home/ada', ...env },
  cwd: '/here',
  isRoot: false,
  stdoutIsTerminal: true,
  stderrIsTerminal: true,
  ...rest,
});

describe('output', () => {
  test('text with progress and colour on a terminal', () => {
    expect(resolveSettings({}, around()).output).toEqual({ mode: 'text', quiet: false, verbosity: 0, progress: true, color: true });
  });

  test.each([
    ['NO_COLOR', around({ NO_COLOR: '1' })],
    ['a dumb terminal', around({ TERM: 'dumb' })],
    ['a pipe', around({}, { stdoutIsTerminal: false })],
  ])('no colour for %s', (_, surroundings) => {
    expect(resolveSettings({}, surroundings).output.color).toBe(false);
  });

  test('an empty NO_COLOR asks for nothing', () => {
    expect(resolveSettings({}, around({ NO_COLOR: '' })).output.color).toBe(true);
  });

  test('never JSON unless asked for: a pipe gets lines', () => {
    expect(resolveSettings({}, around({}, { stdoutIsTerminal: false, stderrIsTerminal: false })).output.mode).toBe('text');
    expect(resolveSettings({ json: true }, around()).output).toMatchObject({ mode: 'json', progress: false, color: false });
    expect(resolveSettings({ jsonl: true }, around()).output.mode).toBe('jsonl');
  });

  test('both kinds of JSON at once are a mistake', () => {
    expect(() => resolveSettings({ json: true, jsonl: true }, around())).toThrow(expect.objectContaining({ code: 'CLI_USAGE' }));
  });

  test('--quiet and --no-progress take the bars away', () => {
    expect(resolveSettings({ quiet: true }, around()).output.progress).toBe(false);
    expect(resolveSettings({ progress: false }, around()).output.progress).toBe(false);
  });
});
