import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ERROR_CODES } from '../src/errors.ts';
import { snapshotAll } from './readme-example.ts';
import { recordedBody } from './recorded-body.ts';
import { type Act, answer, scriptedOned, successXml } from './scripted-oned.ts';

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');

test('the example in the README is the one that is run here', async () => {
  expect(readme).toContain(`\`\`\`ts\n${await readFile(new URL('readme-example.ts', import.meta.url), 'utf8')}\`\`\``);
});

test('the example runs', async () => {
  const [vm, pool] = await Promise.all([recordedBody('7.0.2', '010-vm-info'), recordedBody('7.4.0', '026-vmpool-info')]);
  const act: Act = (request, ...rest) => {
    if (request.body.includes('one.vmpool.info')) return answer(successXml(pool))(request, ...rest);
    if (request.body.includes('one.vm.info')) return answer(successXml(vm))(request, ...rest);
    return answer(successXml(0))(request, ...rest);
  };
  const directory = await mkdtemp(join(tmpdir(), 'onevault-readme-'));
  try {
    await writeFile(join(directory, 'auth'), 'oneadmin:secret\n');
    await using oned = await scriptedOned(act);
    const lines: string[] = [];
    await snapshotAll({ ONE_AUTH: join(directory, 'auth'), ONE_XMLRPC: oned.endpoint.href }, (line) => lines.push(line));
    expect(lines).toEqual(['2 proxy runn snapshot 0', '1 targetq runn snapshot 0', '0 target runn snapshot 0']);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('the README has a line for every error code', () => {
  expect(ERROR_CODES.filter((code) => !readme.includes(`\`${code}\``))).toEqual([]);
});
