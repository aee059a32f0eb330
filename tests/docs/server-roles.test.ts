import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Scope } from '@onevault/base';
import { expect, test } from 'vitest';
import { openSecondShell } from '../support/command-line.ts';
import { postgresRequirements, startPostgres } from '../support/postgres.ts';
import { testWith } from '../support/requires.ts';
import { readPage } from './page.ts';

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
    const [database, api, ...workers] = blockOfThePage();
    expect(database).toMatch(/^export DATABASE_URL=postgres:/);
    const argumentsOf = (command: string | undefined): string[] =>
      /^onevault server ([^#]*)/
        .exec(command ?? '')?.[1]
        ?.trim()
        .split(/\s+/) ?? [];
    for (const worker of workers) {
      const args = argumentsOf(worker);
      expect(await start(args, args.at(-1) ?? '')).toMatchObject({ type: 'server.ready', worker: args.at(-1), url: null });
    }
    const { url } = await start(
      argumentsOf(api).map((word) => word.replace(':8440', ':0')),
      'api',
    );
    const ONEVAULT_SERVER = String(url);
    const token = await shell.run(['token', 'create', 'desk', '--role', 'viewer'], { ONEVAULT_SERVER });
    const run = await shell.run(['run', 'list', '--json'], { ONEVAULT_SERVER, ONEVAULT_TOKEN: token.stdout.trim() });
    expect(run.exit, run.stderr).toBe(0);
  },
  120_000,
);

/** What server.md has the operator type. */
function blockOfThePage(): readonly string[] {
  const page = readPage(readFileSync(new URL('../../docs/operate/server.md', import.meta.url), 'utf8'));
  return page.elsewhere.find(({ by }) => by === 'tests/docs/server-roles.test.ts')?.commands ?? [];
}

test('onevault server --role worker alone says what it lacks', async () => {
  await using shell = await openSecondShell('0');
  const refused = await shell.run(['server', '--role', 'worker', '--json']);
  expect(JSON.parse(refused.stderr)).toMatchObject({ code: 'SERVER_SETTINGS_INVALID', hint: expect.stringContaining('DATABASE_URL') });
});
