import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { documentOf, runCommand } from '../support/command-line.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onevault-sim-test-'));
});
afterAll(async () => {
  await run('sim', 'stop', '--dir', join(dir, 'cloud'));
  await rm(dir, { recursive: true, force: true });
});

const run = (...args: string[]) => runCommand(args, { HOME: dir, PATH: process.env['PATH'] ?? '' });

test('a simulator in the background is found, stopped and taken up again where it was', { timeout: 60_000 }, async () => {
  const cloud = join(dir, 'cloud');
  const place = documentOf(await run('sim', 'start', '--background', '--dir', cloud, '--times', '0', '--json'));
  expect(place).toMatchObject({ type: 'sim.started', endpoint: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/RPC2$/) });
  const env = { HOME: dir, PATH: process.env['PATH'] ?? '', ONE_XMLRPC: String(place['endpoint']), ONE_AUTH: String(place['authFile']) };
  expect((await runCommand(['sim', 'create-vm', 'web', '--disk', '2MiB'], env)).exit).toBe(0);

  const twice = await run('sim', 'start', '--dir', cloud, '--json');
  expect(twice.exit).toBe(1);
  expect(JSON.parse(twice.stderr.trim())).toMatchObject({ code: 'SIM_DIR_BUSY' });

  expect((await run('sim', 'stop', '--dir', cloud)).exit).toBe(0);
  const gone = await run('sim', 'stop', '--dir', cloud, '--json');
  expect(gone.exit).toBe(1);
  expect(JSON.parse(gone.stderr.trim())).toMatchObject({ code: 'CLI_SIM_FAILED' });
  expect((await runCommand(['vm', 'list'], env)).exit).toBe(20);

  const again = documentOf(await run('sim', 'start', '--background', '--dir', cloud, '--times', '0', '--json'));
  const list = await runCommand(['vm', 'list', '--csv', '--no-header', '-l', 'NAME,STAT'], { ...env, ONE_XMLRPC: String(again['endpoint']) });
  expect(list.stdout.trim().split('\n')).toEqual(['onevault-proxy,runn', 'web,runn']);
});
