import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, type Finished, openSecondShell, type Running, type SecondShell, startCommand } from '../support/command-line.ts';

const PATIENCE_MS = 120_000;

/** A simulated cloud, a server beside it, and a desk that knows the server's address and a token, and nothing else. */
interface Desk extends AsyncDisposable {
  readonly shell: SecondShell;
  readonly server: Running;
  onevault(...args: readonly string[]): Promise<Finished>;
}

async function openDesk(): Promise<Desk> {
  const shell = await openSecondShell('0');
  await shell.control.createVm({ name: 'web', disks: [{ sizeMiB: 4 }, { sizeMiB: 2 }], volatileMiB: [], nics: [] });
  await must(shell.run(['init', '-q']));
  const stateDir = join(shell.dir, 'server');
  const settings = join(shell.dir, 'settings.yaml');
  await mkdir(stateDir);
  await writeFile(settings, `repositories:\n  main:\n    place: ${shell.repo}\n`);
  const server = startCommand(['server', '--listen', '127.0.0.1:0', '--state-dir', stateDir], shell.env);
  await server.sees(/ready at http/);
  const [, url = ''] = /ready at (\S+)/.exec(server.stdout()) ?? [];
  const signedIn = {
    PATH: shell.env['PATH'] ?? '',
    HOME: shell.dir,
    ONEVAULT_SERVER: url,
    ONE_AUTH: shell.env['ONE_AUTH'] ?? '',
    ONE_XMLRPC: 'http://127.0.0.1:1/',
  };
  const token = (await must(startCommand(['token', 'create', 'desk', '--role', 'admin', '--expires', '1d'], signedIn).finished)).stdout.trim();
  const env = { PATH: signedIn.PATH, HOME: shell.dir, ONEVAULT_SERVER: url, ONEVAULT_TOKEN: token };
  const onevault = (...args: readonly string[]): Promise<Finished> => startCommand(args, env).finished;
  await must(onevault('apply', '-f', settings, '--yes'));
  return {
    shell,
    server,
    onevault,
    async [Symbol.asyncDispose]() {
      server.process.kill('SIGTERM');
      await server.finished;
      await shell[Symbol.asyncDispose]();
    },
  };
}

async function must(command: Promise<Finished>): Promise<Finished> {
  const finished = await command;
  if (finished.exit !== 0) throw new Error(`exit ${finished.exit}: ${finished.stdout}\n${finished.stderr}`);
  return finished;
}

describe('the built command through a server of its own process', () => {
  let desk: Desk;
  beforeAll(async () => {
    desk = await openDesk();
  }, PATIENCE_MS);
  afterAll(() => desk?.[Symbol.asyncDispose](), PATIENCE_MS);

  it(
    'backs up, looks at what there is, restores, takes a snapshot and reads the repository through, with neither cloud nor repository at hand',
    async () => {
      const { onevault, shell } = desk;
      expect((await must(onevault('vm', 'list', '--csv', '--list', 'NAME'))).stdout).toContain('web\n');
      const first = await must(onevault('backup', 'web'));
      expect(first.stdout).toMatch(/^backup vm=\d+ name=web result=ok point=\S+ mode=full /);
      expect(first.stderr).toContain('VM 1 web: backup, run ');
      const points = documentOf(await must(onevault('point', 'list', 'web', '--json')))['points'] as { id: string }[];
      expect(points).toHaveLength(1);
      const dry = await onevault('restore', 'latest', '--vm', 'web', '--name', 'web-2', '--dry-run');
      expect([0, 4]).toContain(dry.exit);
      expect(dry.stdout).toContain('web-2');
      expect((await must(onevault('restore', 'latest', '--vm', 'web', '--name', 'web-2'))).stdout).toMatch(/^restore vm=\d+ name=web-2 result=ok/);
      const { vms } = await shell.control.state();
      expect(vms.find(({ name }) => name === 'web-2')?.stateText).toBe('RUNNING');
      expect((await must(onevault('snapshot', 'create', 'web', '--name', 'before', '--accept-permanent'))).stdout).toMatch(
        /^snapshot action=create vm=1 name=web result=ok/,
      );
      expect((await must(onevault('snapshot', 'list', 'web', '--csv', '--list', 'NAME,WHOSE'))).stdout).toContain('before,ours\n');
      expect((await must(onevault('verify', '--mode', 'all'))).stdout).toContain('verify result=ok');
      const runs = documentOf(await must(onevault('run', 'list', '--json')))['runs'] as { state: string; request: { kind: string } }[];
      expect(runs.map(({ state, request }) => `${request.kind} ${state}`)).toEqual([
        'verify succeeded',
        'snapshot-create succeeded',
        'restore succeeded',
        'backup succeeded',
      ]);
      expect((await must(onevault('audit', 'verify'))).stdout).toContain('audit result=ok');
      expect((await shell.control.leftovers('ov-')).length).toBe(0);
    },
    PATIENCE_MS,
  );
});
