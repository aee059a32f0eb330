import { join } from 'node:path';
import { Scope } from '@onevault/base';
import { expect, test } from 'vitest';
import { openSecondShell } from '../support/command-line.ts';
import { postgresRequirements, startPostgres } from '../support/postgres.ts';
import { testWith } from '../support/requires.ts';

/** What docs/operate/server.md says of several workers, each a process of its own with a state directory of its own. */
testWith(
  postgresRequirements,
  'onevault server --role api and --role worker share one DATABASE_URL',
  async () => {
    await using scope = new Scope();
    const shell = scope.use(await openSecondShell('0'));
    const postgres = scope.use(await startPostgres());
    const DATABASE_URL = (await postgres.createDatabase('onevault')).reveal();
    const start = async (args: readonly string[], state: string): Promise<Record<string, unknown>> => {
      const server = shell.start(['server', ...args, '--json'], { DATABASE_URL, ONEVAULT_STATE_DIR: join(shell.dir, state) });
      scope.defer(async () => {
        server.process.kill('SIGTERM');
        expect((await server.finished).exit).toBe(0);
      });
      let printed = '';
      server.process.stdout?.on('data', (text: string) => (printed += text));
      await server.sees(/\n/);
      return JSON.parse(printed) as Record<string, unknown>;
    };
    expect(await start(['--role', 'worker', '--worker-name', 'proxy-a'], 'a')).toMatchObject({ type: 'server.ready', worker: 'proxy-a', url: null });
    expect(await start(['--role', 'worker', '--worker-name', 'proxy-b'], 'b')).toMatchObject({ worker: 'proxy-b' });
    const { url } = await start(['--role', 'api', '--listen', '127.0.0.1:0'], 'api');
    const ONEVAULT_SERVER = String(url);
    const token = await shell.run(['token', 'create', 'desk', '--role', 'viewer'], { ONEVAULT_SERVER });
    const run = await shell.run(['run', 'list', '--json'], { ONEVAULT_SERVER, ONEVAULT_TOKEN: token.stdout.trim() });
    expect(run.exit, run.stderr).toBe(0);
  },
  120_000,
);

test('onevault server --role worker alone says what it lacks', async () => {
  await using shell = await openSecondShell('0');
  const refused = await shell.run(['server', '--role', 'worker', '--json']);
  expect(JSON.parse(refused.stderr)).toMatchObject({ code: 'SERVER_SETTINGS_INVALID', hint: expect.stringContaining('DATABASE_URL') });
});
