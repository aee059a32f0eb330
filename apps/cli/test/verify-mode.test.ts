import type { VerifyRecord } from '@onevault/backup-format';
import { describe, expect, it } from 'vitest';
import { parseSeed, parseVerifyMode } from '../src/commands/verify-mode.ts';
import { pointHealth } from '../src/render/point-health.ts';

describe('--mode of verify', () => {
  it.each([
    ['structure', 'structure'],
    ['all', 'all'],
    ['sample=5%', { samplePercent: 5 }],
    ['sample=0.5', { samplePercent: 0.5 }],
    ['sample=100%', { samplePercent: 100 }],
  ])('%s', (text, mode) => expect(parseVerifyMode(text)).toEqual(mode));

  it.each(['sample', 'sample=0%', 'sample=101%', 'sample=-1%', 'sample=5%%', 'everything', ''])('refuses "%s"', (text) => {
    expect(() => parseVerifyMode(text)).toThrow(expect.objectContaining({ code: 'commander.invalidArgument' }));
  });

  it('a seed is 8 hex digits', () => {
    expect(parseSeed('00ff12ab')).toBe('00ff12ab');
    for (const text of ['', 'xyz', '00FF12AB', '123456789'])
      expect(() => parseSeed(text)).toThrow(expect.objectContaining({ code: 'commander.invalidArgument' }));
  });
});

describe('health of restore points', () => {
  const record = (mode: VerifyRecord['mode'], soundPoints: string[], damagedPoints: string[]): VerifyRecord => ({
    id: '20261122T190011123Z-7d1165c449300a6d',
    startedAt: '2026-11-22T19:00:11.123Z',
    finishedAt: '2026-11-22T19:00:12Z',
    mode,
    sample: null,
    nextSample: '00000000',
    counts: { points: 0, packs: 0, chunks: 0, checkedChunks: 0, readBytes: 0, orphanPacks: 0, damaged: 0, healed: 0 },
    damage: [{ key: 'packs/aa/aa', code: 'REPO_CHUNK_CORRUPT', chunks: [], points: damagedPoints }],
    complete: true,
    soundPoints,
    quarantined: [],
  });

  it('is what the newest record says of damage, and the newest complete one of the rest', () => {
    const health = pointHealth([record('all', ['a', 'b'], ['c']), record('structure', [], ['b'])]);
    expect(['a', 'b', 'c', 'd'].map(health)).toEqual(['verified', 'damaged', undefined, undefined]);
    expect(pointHealth([])('a')).toBeUndefined();
  });
});
