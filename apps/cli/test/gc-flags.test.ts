import { describe, expect, it } from 'vitest';
import { parseGrace, parseShare } from '../src/commands/repo/gc.ts';
import { leaseText } from '../src/commands/repo/lease-text.ts';

describe('the flags of repo gc', () => {
  it('reads a grace in seconds, minutes, hours and days', () => {
    expect(['0', '90s', '30m', '24h', '2d'].map(parseGrace)).toEqual([0, 90_000, 1_800_000, 86_400_000, 172_800_000]);
  });

  it('refuses a grace without a unit, below zero, or of another one', () => {
    for (const text of ['24', '-1h', '1w', 'h', '', '1.5h']) expect(() => parseGrace(text)).toThrow(expect.objectContaining({ code: 'CLI_USAGE' }));
  });

  it('reads a threshold in percent', () => {
    expect(['0', '50%', '100 %', '7'].map(parseShare)).toEqual([0, 0.5, 1, 0.07]);
    for (const text of ['101%', '-5', 'half', '0.5']) expect(() => parseShare(text)).toThrow(expect.objectContaining({ code: 'CLI_USAGE' }));
  });
});

describe('a lease in one line', () => {
  const lease = {
    id: 'ab'.repeat(16),
    kind: 'writer',
    host: 'proxy-1',
    pid: 42,
    purpose: 'restore point of vm-7',
    startedAt: '2026-11-22T19:00:00.000Z',
    sequence: 9,
    state: 'held',
    silentMs: 0,
  } as const;

  it('says who holds it, what for and since when', () => {
    expect(leaseText(lease)).toBe('abababababab writer held: restore point of vm-7 (proxy-1, process 42, since 2026-11-22 19:00:00)');
  });

  it('says that its object is damaged, and how long it was silent', () => {
    const damaged = {
      ...lease,
      kind: 'unknown',
      host: undefined,
      pid: undefined,
      purpose: undefined,
      startedAt: undefined,
      state: 'stale',
      silentMs: 700_000,
    } as const;
    expect(leaseText(damaged)).toBe('abababababab unknown stale: unknown (its object is damaged, silent for 11 min 40 s)');
  });
});
