import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runMain } from '../../apps/cli/test/support/command-line.ts';
import { documentOf, type Finished, openSecondShell, type SecondShell, startCommand } from '../support/command-line.ts';

const PATIENCE_MS = 120_000;

/** A simulated cloud, a server beside it, and a desk that knows the server's address and a token, and nothing else. */
interface Desk extends AsyncDisposable {
  readonly shell: SecondShell;
  /** What commands at the desk see. */
  readonly env: Readonly<Record<string, string>>;
  /** The whole command line in this process: a server is asked over HTTP by either. */
  onevault(...args: readonly string[]): Promise<Finished>;
}

async function openDesk(): Promise<Desk> {
  const shell = await openSecondShell('0');
  await shell.control.createVm({ name: 'web', disks: [{ sizeMiB: 4 }, { sizeMiB: 2 }], volatileMiB: [], nics: [] });
  await must(shell.run(['init', '-q']));
  const stateDir = join(shell.dir, 'server');
  await mkdir(join(stateDir, 'settings'), { recursive: true });
  await writeFile(join(stateDir, 'settings', 'repositories.yaml'), `main:\n  place: ${shell.repo}\n`);
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
  const onevault = async (...args: readonly string[]): Promise<Finished> => {
    const { exit, out, err } = await runMain(args, env);
    return { exit, stdout: out, stderr: err };
  };
  return {
    shell,
    env,
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
    'backs up, takes a snapshot and reads the repository through, with neither cloud nor repository at hand',
    async () => {
      const { onevault, shell } = desk;
      const first = await must(startCommand(['backup', '1', '--repo', 'main'], desk.env).finished);
      expect(first.stdout).toMatch(/^backup vm=1 name=web result=ok point=\S+ mode=full /);
      expect(first.stderr).toContain('VM 1 web: backup, run ');
      expect((await must(onevault('snapshot', 'create', '1', '--name', 'before', '--accept-permanent'))).stdout).toMatch(
        /^snapshot action=create vm=1 name=web result=ok/,
      );
      expect((await must(onevault('snapshot', 'list', '1', '--csv', '--list', 'NAME,WHOSE'))).stdout).toContain('before,ours\n');
      expect((await must(onevault('verify', '--repo', 'main', '--mode', 'all'))).stdout).toContain('verify result=ok');
      const runs = documentOf(await must(onevault('run', 'list', '--json')))['runs'] as { id: string; state: string; request: { kind: string } }[];
      expect(runs.map(({ state, request }) => `${request.kind} ${state}`)).toEqual(['verify succeeded', 'snapshot-create succeeded', 'backup succeeded']);
      expect((await must(onevault('run', 'watch', runs[2]?.id ?? ''))).stderr).toContain('restore point committed');
      const doctor = await onevault('doctor', '--json');
      expect(documentOf(doctor)['findings']).toContainEqual(expect.objectContaining({ area: 'repository', verdict: 'ok', subject: 'repository main' }));
      expect((await must(onevault('audit', 'verify'))).stdout).toContain('audit result=ok');
      expect(await onevault('cleanup', '--list')).toMatchObject({ exit: 0, stdout: 'nothing of ours is left behind\n' });
      expect(await shell.control.leftovers('ov-')).toEqual([]);
    },
    PATIENCE_MS,
  );

  it(
    'leaves a run to the server when the desk goes, which cancels it when it is told to',
    async () => {
      const { onevault, shell } = desk;
      await shell.control.setTimes({ saveas: 6_000 });
      const watching = startCommand(['backup', '1', '--repo', 'main', '--full', '--jsonl'], desk.env);
      await watching.sees(/"type":"step.finished","step":"snapshot"|"step":"snapshot".*"type":"step.finished"/);
      watching.process.kill('SIGINT');
      const { exit, stderr } = await watching.finished;
      const [, id = ''] = /run (run-\S+) goes on at the server/.exec(stderr) ?? [];
      expect(JSON.parse(stderr)).toMatchObject({ type: 'exit_error', exitCode: 130 });
      expect({ exit, id }).toEqual({ exit: 130, id: expect.stringMatching(/^run-/) });
      expect((await must(onevault('run', 'show', id))).stdout).toContain('STATE    : running');
      await must(onevault('run', 'cancel', id));
      expect(await onevault('run', 'watch', id)).toMatchObject({ exit: 130 });
      expect(await shell.control.leftovers('ov-')).toEqual([]);
    },
    PATIENCE_MS,
  );
});
