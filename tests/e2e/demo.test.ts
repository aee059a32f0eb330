import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { documentOf, runCommand, startCommand } from '../support/command-line.ts';

/** The demo itself on disks a tenth of the size: what it proves in `npm run demo` it must also be able to disprove. */
describe('onevault demo', { timeout: 240_000 }, () => {
  let dir: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'onevault-demo-test-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  const demo = (...args: string[]) => runCommand(['demo', '--small', '--dir', dir, ...args], { HOME: dir, PATH: process.env['PATH'] ?? '' });

  test('tells the whole story, compares every byte and leaves no directory behind', async () => {
    const { exit, stdout, stderr } = await demo();
    expect(exit, stdout).toBe(0);
    expect(stderr).toBe('');
    for (const told of ['1. A cloud', 'result=ok', 'result=damaged', 'is RUNNING', 'byte for byte as it was', 'of ours besides that: 0', '0 differences'])
      expect(stdout).toContain(told);
    expect(await readdir(dir)).toEqual([]);
  });

  test.each(['restore', 'capture'])('--break %s is noticed: one byte, exit code 1', async (where) => {
    const finished = await demo('--break', where, '--json');
    expect(finished.exit).toBe(1);
    expect(documentOf(finished)).toMatchObject({ mismatches: [expect.stringContaining('differs from byte 1000000 on')] });
    expect(JSON.parse(finished.stderr.trim())).toMatchObject({ code: 'CLI_DEMO_MISMATCH' });
    expect(await readdir(dir)).toEqual([]);
  });

  test('--serve is a server before a cloud with VMs, in one command; Ctrl-C ends it with nothing left', async () => {
    const around = { HOME: dir, PATH: process.env['PATH'] ?? '', ONE_XMLRPC: 'http://127.0.0.1:1/', DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };
    const demo = startCommand(['demo', '--serve', '--small', '--listen', '127.0.0.1:0', '--dir', dir, '--jsonl'], around);
    await demo.sees(/"type":"server.ready".*\n/);
    const { url, user, password } = JSON.parse(
      demo
        .stdout()
        .split('\n')
        .find((line) => line.includes('server.ready')) ?? '',
    ) as Record<string, string>;
    const session = await fetch(`${url}api/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user, password }),
    });
    const cookie = session.headers.getSetCookie().map((one) => one.split(';', 1)[0]);
    const vms = await fetch(`${url}api/v1/vms`, { headers: { cookie: cookie.join('; ') } });
    const { items } = (await vms.json()) as { items: { name: string }[] };
    expect(items.map(({ name }) => name)).toEqual(expect.arrayContaining(['web', 'db', 'mail']));
    demo.process.kill('SIGINT');
    expect(await demo.finished).toMatchObject({ exit: 0 });
    expect(await readdir(dir)).toEqual([]);
  });

  test('--serve leaves nothing behind an impatient Ctrl-C, Ctrl-C, either', async () => {
    const demo = startCommand(['demo', '--serve', '--small', '--listen', '127.0.0.1:0', '--dir', dir], { HOME: dir, PATH: process.env['PATH'] ?? '' });
    await demo.sees(/disk 0/);
    demo.process.kill('SIGINT');
    demo.process.kill('SIGTERM');
    await demo.finished;
    expect(await readdir(dir)).toEqual([]);
  });
});
