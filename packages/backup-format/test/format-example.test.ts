import { readFile, writeFile } from 'node:fs/promises';
import { FakeClock } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { type ObjectStore, openRepository } from '../src/index.ts';
import { keysOf, readDisk } from '../testing/index.ts';
import { EXAMPLE_DISK, workedExample } from '../testing/worked-example.ts';

const DOCUMENT = new URL('../../../docs/format.md', import.meta.url);
const SECTION = /(<!-- example:begin[^\n]*-->\n)[\s\S]*(<!-- example:end -->)/;

describe('the worked example of docs/format.md', () => {
  it('is what the code writes today (UPDATE_FORMAT_EXAMPLE=1 writes it into the document)', async () => {
    const document = await readFile(DOCUMENT, 'utf8');
    const expected = document.replace(SECTION, `$1${await render(await workedExample())}$2`);
    if (process.env['UPDATE_FORMAT_EXAMPLE']) await writeFile(DOCUMENT, expected);
    else expect(document).toBe(expected);
  });

  it('restores its disk', async () => {
    const repository = await openRepository(await workedExample(), { clock: new FakeClock() });
    for await (const listed of repository.points()) {
      if (listed.kind === 'point') expect(Buffer.from(await readDisk(await repository.openDisk(listed.point, 'disk-0'))).equals(EXAMPLE_DISK)).toBe(true);
    }
    expect.assertions(1);
  });
});

async function render(store: ObjectStore): Promise<string> {
  const parts = [
    '',
    'A repository with SHA-256 and blocks of 65 536 bytes; one restore point of one disk of 65 580 bytes: a block of zeros and the 44 bytes',
    '`The quick brown fox jumps over the lazy dog.` Every object of it, in order of key. `*` stands for lines of zeros left out. The last pack holds the disk’s data,',
    'the other one its page and its root.',
    '',
  ];
  for (const key of await keysOf(store, '')) {
    const bytes = await store.get(key);
    parts.push(
      `\`${key}\`, ${bytes.length} bytes:`,
      '',
      '```text',
      key.endsWith('.json') ? Buffer.from(bytes).toString().trimEnd() : hexDump(bytes),
      '```',
      '',
    );
  }
  return `${parts.join('\n')}\n`;
}

/** As `hexdump -C` prints it, but only lines of zeros are left out. */
function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const line = Buffer.from(bytes.subarray(at, at + 16));
    const skipped = line.length === 16 && line.every((byte) => byte === 0);
    if (skipped && lines.at(-1) !== '*') lines.push('*');
    if (skipped) continue;
    const hex = line.toString('hex').replace(/(..)/g, '$1 ').trimEnd();
    const ascii = line.toString('latin1').replace(/[^\x20-\x7e]/g, '.');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${ascii}`);
  }
  return lines.join('\n');
}
