import { describe, expect, it } from 'vitest';
import { breakerOf } from '../../src/work/breaker.ts';

const HOUR = 3_600_000;
const NOW = Date.parse('2026-11-28T12:00:00Z');
const rules = { failures: 3, pause: '1d' };
/** Newest first, each an hour before the one before; `x` failed, `o` did not. */
const ended = (pattern: string) => [...pattern].map((mark, n) => ({ endedMs: NOW - (n + 1) * HOUR, failed: mark === 'x' }));

describe('the circuit breaker of a VM and policy', () => {
  it.each([
    ['', undefined],
    ['xx', undefined],
    ['xxo', undefined],
    ['oxxx', undefined],
    ['xxx', { failures: 3, untilMs: NOW + 23 * HOUR }],
    ['xxxo', { failures: 3, untilMs: NOW + 23 * HOUR }],
    ['xxxxxo', { failures: 5, untilMs: NOW + 23 * HOUR }],
    ['xoxxx', undefined],
  ])('%j, newest first', (pattern, expected) => {
    expect(breakerOf(rules, ended(pattern), NOW)).toEqual(expected);
  });

  it('lets one run through when the pause is over, and opens again when that fails too', () => {
    expect(breakerOf(rules, ended('xxx'), NOW + 23 * HOUR)).toBeUndefined();
    const again = [{ endedMs: NOW + 23.5 * HOUR, failed: true }, ...ended('xxx')];
    expect(breakerOf(rules, again, NOW + 24 * HOUR)).toEqual({ failures: 4, untilMs: NOW + 47.5 * HOUR });
  });
});
