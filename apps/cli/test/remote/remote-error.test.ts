import { ApiError } from '@onevault/api';
import { expect, test } from 'vitest';
import { asRemoteError } from '../../src/remote/remote-error.ts';

const messageOf = (message: string, issues: ApiError['issues']): unknown =>
  (asRemoteError(new ApiError({ code: 'SERVER_SETTINGS_INVALID', message, issues })) as Error).message;

test('every fault is said, and none twice', () => {
  const issues = [
    { path: 'policies/a.yaml: rpo', message: 'is no span' },
    { path: 'policies/a.yaml: at', message: 'is no time' },
  ];
  expect(messageOf('the request is not understood', issues)).toBe(
    'the request is not understood: policies/a.yaml: rpo: is no span; policies/a.yaml: at: is no time',
  );
  const told = 'these settings cannot be used: policies/a.yaml: rpo: is no span; policies/a.yaml: at: is no time';
  expect(messageOf(told, issues)).toBe(told);
});
