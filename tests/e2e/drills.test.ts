import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { documentOf, openSecondShell, type SecondShell } from '../support/command-line.ts';

/** Drills and restore plans as an admin types them: two VMs, each backed up once; the tests take them one after another. */
describe('drills and restore plans', { timeout: 120_000 }, () => {
  let shell: SecondShell;
  beforeAll(async () => {
    shell = await openSecondShell('0');
    for (const name of ['web', 'db']) await shell.run(['sim', 'create-vm', name, '--disk', '2MiB']);
    const { vms } = await shell.control.state();
    for (const { id, name } of vms) if (name === 'web' || name === 'db') await shell.control.writeRandom(id, 0, { seed: id, count: 40, blockBytes: 4096 });
    await shell.run(['init']);
    for (const name of ['web', 'db']) expect(await shell.run(['backup', name, '-q'])).toMatchObject({ exit: 0 });
  }, 120_000);
  afterAll(() => shell[Symbol.asyncDispose](), 60_000);

  const lives = async (prefix: string): Promise<string[]> =>
    (await shell.control.state()).vms.filter((vm) => vm.name.startsWith(prefix) && vm.stateText !== 'DONE').map((vm) => vm.name);

  test('a guest that says on its console that it lives, and a probe that finds it, prove a VM', async () => {
    await shell.control.expectGuest({ namePrefix: 'onevault-drill-', console: '\r\nDebian GNU/Linux 12 web ttyS0\r\n\r\nweb login: ' });
    const signs = ['--sign', 'console:login:', '--console-listen', '127.0.0.1', '--probe', process.execPath, '--probe-arg', '-e', '--probe-arg'];
    const drilled = await shell.run(['drill', 'run', 'web', ...signs, 'console.log("VM", process.env.ONEVAULT_DRILL_SOURCE_VM_ID)', '--limit', '2m']);
    expect(drilled, drilled.stderr).toMatchObject({ exit: 0 });
    expect(drilled.stdout).toMatch(/^drill vm=web result=passed point=\S+ signs=console\+probe write=\S+ rate=\S+ boot=\S+ rto=\S+ duration=\S+$/m);
    const { records } = documentOf(await shell.run(['drill', 'list', 'web', '--json'])) as { records: { facts: { signs: object[] } }[] };
    expect(records).toMatchObject([
      { outcome: 'passed', facts: { signs: [{ evidence: 'web login: ' }, { evidence: expect.stringMatching(/^exit 0: VM \d+$/) }] } },
    ]);
    expect(await shell.control.leftovers('onevault-drill')).toEqual([]);
  });

  test('the sample is whose turn it is, and the list says who was never proven', async () => {
    const turns = await shell.run(['drill', 'run', '--all', '--sample', '1', '--max-age', '30d', '--dry-run']);
    expect(turns.stdout).toMatch(/^would drill \S+ of VM db$/m);
    expect(turns.stderr).toMatch(/VM web .* was proven less than 30d ago/);
    const listed = await shell.run(['drill', 'list', '-l', 'NAME,PROVEN,LAST,SIGNS']);
    expect(listed.stdout).toMatch(/^db +never +- +-$/m);
    expect(listed.stdout).toMatch(/^web +2\S+ \S+ +passed +console\+probe$/m);
    expect((await shell.run(['drill', 'list', '--max-age', '30d', '-l', 'NAME', '--no-header'])).stdout).toBe('db\n');
  });

  test('what cannot prove anything is refused before a restore, and a wrong command line is told', async () => {
    const refused = await shell.run(['drill', 'run', 'db', '--sign', 'ready']);
    expect(refused).toMatchObject({ exit: 2 });
    expect(refused.stderr).toMatch(/cannot report READY/);
    expect(await shell.run(['drill', 'run', 'db', '--sign', 'singing'])).toMatchObject({ exit: 2, stderr: expect.stringMatching(/no sign of life/) });
    expect(await shell.run(['drill', 'run', 'db', '--sign', 'console:x'])).toMatchObject({ exit: 2, stderr: expect.stringMatching(/--console-listen/) });
    expect(await shell.run(['drill', 'run'])).toMatchObject({ exit: 2, stderr: expect.stringMatching(/name VMs, or give --all/) });
    expect(await shell.run(['drill', 'run', 'db', '--network', 'moon'])).toMatchObject({ exit: 2, stderr: expect.stringMatching(/no network 'moon'/) });
    expect(await shell.run(['drill', 'run', 'ghost'])).toMatchObject({ exit: 1 });
  });

  test('a plan is checked, carried out in order, and run again makes nothing twice', async () => {
    const file = join(shell.dir, 'shop.yaml');
    await writeFile(
      file,
      'version: 1\nname: shop\ndefaults: { prefix: dr- }\nvms:\n  - { vm: web, after: [db] }\n  - { vm: db, wait: { for: [{ running: 0s }] } }\n',
    );
    const checked = await shell.run(['restore-plan', 'check', file]);
    expect(checked.stdout).toMatch(/^db: \S+ captured \S+ as VM dr-db: \w+$[\s\S]*^web: .* as VM dr-web, after db: \w+$/m);
    expect(await lives('dr-')).toEqual([]);
    const done = await shell.run(['restore-plan', 'run', file]);
    expect(done, done.stderr).toMatchObject({ exit: 0 });
    expect(done.stdout).toMatch(/key=db .*result=restored[\s\S]*key=web .*result=restored[\s\S]*^restore-plan plan=shop result=complete vms=2 there=2 /m);
    const again = await shell.run(['restore-plan', 'run', file]);
    expect(again.stdout).toMatch(/key=db .*result=present[\s\S]*key=web .*result=present/);
    expect((await lives('dr-')).sort()).toEqual(['dr-db', 'dr-web']);
    await writeFile(file, 'version: 1\nname: shop\nvms:\n  - vm: db\n  - vm: ghost\n    after: [nobody]\n');
    expect(await shell.run(['restore-plan', 'run', file])).toMatchObject({
      exit: 2,
      stderr: expect.stringMatching(/line 6, vms\.1\.after: 'ghost' comes after 'nobody'/),
    });
  });

  test('a damaged restore point makes its drill fail with the damage named, and nothing is left', async () => {
    const packs = join(shell.repo, 'packs');
    for (const name of await readdir(packs, { recursive: true })) {
      const bytes = await readFile(join(packs, name)).catch(() => undefined);
      if (bytes === undefined || bytes.length < 100_000) continue;
      bytes[5000] = (bytes[5000] ?? 0) ^ 1;
      await writeFile(join(packs, name), bytes);
    }
    const drilled = await shell.run(['drill', 'run', '--all', '--sign', 'running:0s']);
    expect(drilled.exit, drilled.stderr).toBe(13);
    expect(drilled.stdout).toMatch(/^drill vm=\w+ result=failed stage=restore code=REPO_CHUNK_CORRUPT /m);
    expect(drilled.stderr).toMatch(/did not pass: .*byte/);
    expect(await shell.control.leftovers('onevault-drill')).toEqual([]);
    expect((await shell.run(['drill', 'list', '-l', 'NAME,LAST,WHY'])).stdout).toMatch(/failed +REPO_CHUNK_CORRUPT/);
  });
});
