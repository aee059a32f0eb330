import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { fakeGuestfish } from '../testing/index.ts';
import { lookInto } from './readme-example.ts';
import { scratchDirectory } from './scratch.ts';

it('the example in README.md is this code, and it works', async () => {
  const code = await readFile(new URL('readme-example.ts', import.meta.url), 'utf8');
  expect(await readFile(new URL('../README.md', import.meta.url), 'utf8')).toContain(`\`\`\`ts\n${code}\`\`\``);

  await using scratch = await scratchDirectory();
  const file = 'st_ino: 12\nst_mode: 33188\nst_size: 4\n';
  const environment = await fakeGuestfish(scratch.path, {
    'blockdev-getsize64': { output: '1048576\n' },
    'vfs-type': { output: 'ext4\n' },
    ls0: { file: Buffer.from('hostname\0a\nb\0') },
    lstatnslist: { output: `[0] = {\n${file}}\n[1] = {\n${file}}\n` },
    statns: { output: file },
    download: { file: Buffer.from('web\n') },
  });
  const printed: string[] = [];
  await lookInto('/images/web.raw', environment, (text) => printed.push(text));
  expect(printed).toEqual(['file 4 a\\x0ab', 'file 4 hostname', 'web\n']);
});
