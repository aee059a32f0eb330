import { expect, it } from 'vitest';
import { nameFor } from '../../src/live/restore-choices.ts';

it('a restored VM is offered the name of the saved one, with a mark while that one lives, and never one that OpenNebula would refuse', () => {
  expect(nameFor('web', false)).toBe('web');
  expect(nameFor('web', true)).toBe('web-restored');
  expect(nameFor('x'.repeat(128), true)).toBe(`${'x'.repeat(119)}-restored`);
  expect(nameFor(`${'x'.repeat(116)}🙂 and more`, true)).toBe(`${'x'.repeat(116)}-restored`);
  expect(nameFor('ü'.repeat(64), true)).toBe(`${'ü'.repeat(59)}-restored`);
});
