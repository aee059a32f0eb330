import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAnswer, type RawAnswer } from '../testing/index.ts';

/** The answer of a recorded exchange with a real oned, by the number its file begins with. */
export async function recorded(version: '7.0.2' | '7.4.0', number: string): Promise<RawAnswer> {
  const dir = join(import.meta.dirname, 'fixtures', version);
  const file = (await readdir(dir)).find((name) => name.startsWith(`${number}-`));
  if (!file) throw new Error(`no recording ${number} of ${version}`);
  const text = await readFile(join(dir, file), 'utf8');
  return parseAnswer(text.slice(text.indexOf('--- response\n') + '--- response\n'.length).trim());
}
