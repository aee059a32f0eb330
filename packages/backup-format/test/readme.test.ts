import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readDisk, scanBytes } from '../testing/index.ts';
import { keep } from './readme-example.ts';

describe('the README', () => {
  it('shows the example that runs here', async () => {
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
    expect(readme).toContain((await readFile(new URL('./readme-example.ts', import.meta.url), 'utf8')).trim());
    expect(readme.split('\n').length).toBeLessThanOrEqual(110);
  });

  it('has an example that keeps a disk', async () => {
    const path = await mkdtemp(join(tmpdir(), 'onevault-readme-'));
    try {
      const disk = Buffer.alloc(3 * 1024 * 1024, 'a disk');
      let restored: Uint8Array = Buffer.alloc(0);
      const point = await keep(join(path, 'repository'), disk.length, scanBytes(disk, { blockSizeBytes: 1024 * 1024, digest: 'blake3' }), async (reader) => {
        restored = await readDisk(reader);
      });
      expect(disk.equals(restored)).toBe(true);
      expect(point.annotations).toEqual({ name: 'web' });
    } finally {
      await rm(path, { recursive: true });
    }
  });

  it('says what to do about every error code', async () => {
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
    const source = await readFile(new URL('../src/errors.ts', import.meta.url), 'utf8');
    const codes = [...source.matchAll(/\| '(REPO_[A-Z_]+)'/g)].map(([, code]) => code ?? '');
    expect(codes.length).toBeGreaterThan(20);
    expect(codes.filter((code) => !readme.includes(`\`${code}\``))).toEqual([]);
  });
});
