import { Secret } from '@onevault/base';
import { expect, test } from 'vitest';
import { scrub } from '../src/scrub.ts';

test('the session and its secret are taken out, also when only the end of the session is there', () => {
  expect(scrub('x oneadmin:4f2c7a9e11 y 4f2c7a9e11 z', new Secret('oneadmin:4f2c7a9e11'))).toBe('x [redacted] y [redacted] z');
});

test('a secret that is an ordinary word goes only together with its user, or it would show where it was taken out', () => {
  expect(scrub('oneadmin:image: Error getting image [8]', new Secret('oneadmin:image'))).toBe('[redacted]: Error getting image [8]');
});
