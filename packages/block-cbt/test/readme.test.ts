import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { fileDevice, imageBytes, type Piece } from '../testing/index.ts';
import { sendChanges } from './readme-example.ts';
import { mapOf } from './scan-to-end.ts';

const MIB = 2 ** 20;

it('the example in README.md is this code, and it works', async () => {
  const code = await readFile(new URL('readme-example.ts', import.meta.url), 'utf8');
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  expect(readme).toContain(`\`\`\`ts\n${code}\`\`\``);

  const before: Piece[] = [
    { kind: 'data', length: 3 * MIB, seed: 1 },
    { kind: 'hole', length: 2 * MIB },
  ];
  const now: Piece[] = [
    { kind: 'data', length: 3 * MIB, seed: 1 },
    { kind: 'data', length: MIB, seed: 2 },
    { kind: 'hole', length: MIB },
  ];
  await using subject = await fileDevice(now);
  const stored = new Map<number, Buffer>();
  const store = async (index: number, data: Uint8Array): Promise<void> => void stored.set(index, Buffer.from(data));

  await sendChanges(subject.device.path, mapOf(imageBytes(before), MIB), store);
  expect([...stored.keys()]).toEqual([3]);
  expect(stored.get(3)?.equals(imageBytes(now).subarray(3 * MIB, 4 * MIB))).toBe(true);

  const broken = new Error('the repository is full');
  await expect(sendChanges(subject.device.path, mapOf(new Uint8Array(MIB), MIB), () => Promise.reject(broken))).rejects.toBe(broken);
});

it('every error code is in README.md', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const source = await readFile(new URL('../src/errors.ts', import.meta.url), 'utf8');
  const codes = new Set(source.match(/CBT_[A-Z_]+/g));
  expect(codes.size).toBe(12);
  for (const code of codes) expect(readme).toContain(`\`${code}\``);
});
