import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { documentOf, openSecondShell, type SecondShell } from '../support/command-line.ts';

/** What docs/operate/recovering.md tells to do, with what it leaves looked at. */
describe('after a crash', { timeout: 120_000 }, () => {
  let shell: SecondShell;

  beforeAll(async () => {
    shell = await openSecondShell('0');
    await shell.run(['sim', 'create-vm', 'web', '--disk', '1MiB']);
    expect((await shell.run(['init'])).exit).toBe(0);
  }, 60_000);
  afterAll(() => shell[Symbol.asyncDispose](), 60_000);

  async function onevault(command: string) {
    return shell.run(command.split(' '));
  }

  async function killedBackup(): Promise<void> {
    await shell.control.hold(['attach']);
    const backup = shell.start(['backup', 'web', '-q']);
    while (!(await shell.control.state()).waiting.includes('attach')) {
      if (backup.process.exitCode !== null) throw new Error(`the backup ended: ${(await backup.finished).stderr}`);
    }
    backup.process.kill('SIGKILL');
    await backup.finished;
    await shell.control.release();
    await shell.control.idle();
  }

  const leftovers = async (): Promise<readonly string[]> =>
    (await Promise.all(['onevault-2', 'ov-'].map((prefix) => shell.control.leftovers(prefix)))).flat().map(({ kind }) => kind);

  test('recover takes away what a killed run left, and has nothing to do afterwards', async () => {
    await killedBackup();
    expect(new Set(await leftovers())).toEqual(new Set(['snapshot', 'image', 'disk']));
    const { exit, stdout } = await onevault('recover');
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^recover result=ok runs=1 removed=3 left=0 stays=0$/m);
    expect(stdout).toMatch(/^\d{8}t\d{6}-\w{6} +backup +VM \d+ web +.* recovered +3 +0 +0$/m);
    expect(await leftovers()).toEqual([]);
    const again = documentOf(await shell.run(['recover', '--json']));
    expect(again).toMatchObject({ type: 'recover.result', runs: [], residue: [] });
    expect((await onevault('recover --gone-host old-proxy')).exit).toBe(0);
  });

  test('a backup begins with it', async () => {
    await killedBackup();
    const { exit, stderr } = await onevault('backup web');
    expect(exit, stderr).toBe(0);
    expect(stderr).toMatch(/^run \S+ \(VM \d+ web\) had died: 3 objects taken away$/m);
    expect(await leftovers()).toEqual([]);
  });

  test('cleanup finds what is left without any journal, and asks before it removes anything', async () => {
    await killedBackup();
    await rm(join(shell.dir, 'state'), { recursive: true });
    expect((await onevault('recover')).stdout).toContain('runs=0 removed=0');
    const listed = await onevault('cleanup --list');
    expect(listed.exit).toBe(3);
    expect(listed.stdout.split('\n').filter((line) => /^(snapshot|image|attachment) /.test(line))).toHaveLength(3);
    const { orphans } = documentOf(await shell.run(['cleanup', '--list', '--json'])) as { orphans: { proof: string[]; bornAt?: number; runId: string }[] };
    expect(orphans).toHaveLength(3);
    for (const { proof } of orphans) expect(proof.length).toBeGreaterThan(1);
    const unasked = await onevault('cleanup --apply');
    expect(unasked.exit).toBe(2);
    expect((await onevault('cleanup --apply --yes --older-than 12h')).stdout).toContain('nothing of ours is left behind');
    expect((await leftovers()).length).toBeGreaterThan(0);
    const applied = await onevault('cleanup --apply --yes');
    expect(applied.exit, applied.stdout + applied.stderr).toBe(0);
    expect(applied.stdout.split('\n').filter((line) => line.startsWith('removed '))).toHaveLength(3);
    expect(await leftovers()).toEqual([]);
    expect((await onevault('cleanup --list --other-proxies')).exit).toBe(0);
    expect(await readdir(join(shell.dir, 'state', 'journals')).catch(() => [])).toEqual([]);
  });
});
