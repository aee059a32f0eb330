import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { memorySource } from '../testing/index.ts';
import { collector, MIB, noise, temporaryDirectory } from './disks.ts';
import { saveImage, sendHead } from './readme-example.ts';

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');

it('the example in README.md is this code, and it works', async () => {
  expect(readme).toContain(`\`\`\`ts\n${await readFile(new URL('readme-example.ts', import.meta.url), 'utf8')}\`\`\``);
  expect(readme.split('\n').length).toBeLessThanOrEqual(61);
  await using directory = await temporaryDirectory();
  const disk = memorySource([{ offset: 0, data: noise(1, 100) }], { sizeBytes: 4 * MIB });
  const image = await saveImage(disk, directory.file('disk.qcow2'), new AbortController().signal);
  expect(image).toBe((await directory.bytes('disk.qcow2')).length);
  const stream = collector();
  await sendHead(disk, stream);
  expect(stream.bytes().equals(disk.bytes({ length: MIB }))).toBe(true);
});

it('every error code is in README.md', async () => {
  const codes = new Set((await readFile(new URL('../src/errors.ts', import.meta.url), 'utf8')).match(/EXPORT_[A-Z_]+/g));
  expect(codes.size).toBe(11);
  for (const code of codes) expect(readme).toContain(`\`${code}\``);
});
