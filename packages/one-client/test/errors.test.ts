import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { ERROR_CODES, isOneError, OneError, onedRefusal } from '../src/errors.ts';

describe('OneError', () => {
  test('every code has a hint', () => {
    for (const code of ERROR_CODES) expect(new OneError(code, 'x').hint, code).toMatch(/\w{3,}/);
  });

  test('every code is expected somewhere in these tests', async () => {
    const directory = new URL('.', import.meta.url);
    const files = (await readdir(directory)).filter((file) => file.endsWith('.test.ts'));
    const tests = (await Promise.all(files.map((file) => readFile(new URL(file, directory), 'utf8')))).join('\n');
    expect(ERROR_CODES.filter((code) => !tests.includes(`'${code}'`))).toEqual([]);
  });

  test('an unknown object is -1 to oned and absent here', () => {
    expect(onedRefusal({ method: 'one.vm.attach', oneCode: 2048, onedMessage: '[one.vm.attach] no', objectId: undefined }).details).not.toHaveProperty(
      'objectId',
    );
  });

  test('is told from other errors by code', () => {
    const error = new OneError('ONE_ACTION', 'x');
    expect([isOneError(error), isOneError(error, 'ONE_ACTION'), isOneError(error, 'ONE_LOCKED'), isOneError(new Error('x'))]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
