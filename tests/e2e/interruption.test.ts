import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { documentOf, openSecondShell, type SecondShell } from '../support/command-line.ts';

interface Recovered {
  readonly removed: readonly { readonly object: { readonly kind: string; readonly name?: string; readonly serial?: string }; readonly label: string }[];
}

/** A run stopped at a moment the simulator holds still: by Ctrl-C, by a second one, and by kill -9. */
describe('a backup that is interrupted', { timeout: 120_000 }, () => {
  let shell: SecondShell;

  beforeAll(async () => {
    shell = await openSecondShell('0');
    await shell.run(['sim', 'create-vm', 'web', '--disk', '8MiB', '--disk', '8MiB']);
    await shell.control.writeRandom(1, 0, { seed: 1, count: 4, blockBytes: 1024 * 1024 });
    await shell.run(['init']);
    expect((await shell.run(['backup', 'web', '-q'])).exit).toBe(0);
  }, 60_000);
  afterAll(() => shell[Symbol.asyncDispose](), 60_000);

  /** Starts a backup and waits until it hangs in that step of OpenNebula's. */
  async function backupHeldAt(step: 'saveas' | 'attach' | 'detach') {
    await shell.control.hold([step]);
    const backup = shell.start(['backup', 'web', '--jsonl']);
    while (!(await shell.control.state()).waiting.includes(step)) {
      if (backup.process.exitCode !== null) throw new Error(`the backup ended before ${step}`);
    }
    return backup;
  }

  const journals = async (): Promise<string[]> => (await readdir(join(shell.dir, 'state/journals'))).filter((name) => name.endsWith('.jsonl'));
  const leftovers = async (): Promise<readonly string[]> =>
    (await Promise.all(['onevault-2', 'ov-'].map((prefix) => shell.control.leftovers(prefix)))).flat().map(({ kind }) => kind);
  const pointCount = async (): Promise<number> => (await shell.run(['point', 'list', '--no-header'])).stdout.split('\n').length - 1;

  test('by Ctrl-C takes back what it made and leaves with 130', async () => {
    const points = await pointCount();
    const backup = await backupHeldAt('saveas');
    backup.process.kill('SIGINT');
    await shell.control.release();
    const { exit, stdout, stderr } = await backup.finished;
    expect(exit, stderr).toBe(130);
    expect(JSON.parse(stderr.trim())).toMatchObject({ type: 'exit_error', exitCode: 130, code: 'CANCELLED' });
    expect(stdout).toContain('"outcome":"cancelled"');
    expect(await leftovers()).toEqual([]);
    expect(await journals()).toEqual([]);
    expect(await pointCount()).toBe(points);
  });

  test('by a second Ctrl-C leaves at once; the journal remains and the next run takes away what is left', async () => {
    const backup = await backupHeldAt('saveas');
    backup.process.kill('SIGINT');
    backup.process.kill('SIGTERM');
    expect((await backup.finished).exit).toBe(130);
    expect(await journals()).toHaveLength(1);
    await shell.control.release();
    await shell.control.idle();
    await expectNextRunToWork();
  });

  test.each(['attach', 'detach'] as const)(
    'by kill -9 during %s: the next backup takes away by name what is left and works, and the repository verifies',
    async (step) => {
      const backup = await backupHeldAt(step);
      backup.process.kill('SIGKILL');
      expect((await backup.finished).exit).toBe('SIGKILL');
      await shell.control.release();
      await shell.control.idle();
      expect(await leftovers()).not.toEqual([]);
      await expectNextRunToWork();
    },
  );

  async function expectNextRunToWork(): Promise<void> {
    const there = await leftovers();
    const points = await pointCount();
    const named = await shell.run(['backup', 'web', '--no-recover', '-q']);
    expect(named.exit, named.stderr).toBe(0);
    expect(named.stderr).toContain('warning: earlier runs that died left this in OpenNebula');
    expect(await leftovers()).toEqual(there);
    const next = await shell.run(['backup', 'web', '--json']);
    expect(next.exit, next.stderr).toBe(0);
    const { leftovers: still, recovered } = documentOf(next) as { leftovers: unknown[]; recovered: Recovered[] };
    expect(still).toEqual([]);
    const removed = recovered.flatMap((run) => run.removed);
    const kinds = removed.map(({ object }) => (object.kind === 'attachment' ? 'disk' : object.kind));
    for (const kind of there) expect(kinds).toContain(kind);
    for (const { object, label } of removed) {
      expect(label).toContain(object.name ?? object.serial);
      expect(named.stderr).toContain(object.name ?? object.serial);
    }
    expect(await leftovers()).toEqual([]);
    expect(await journals()).toEqual([]);
    expect(await pointCount()).toBe(points + 2);
    expect((await shell.run(['verify'])).exit).toBe(0);
    const again = await shell.run(['recover']);
    expect([again.exit, again.stdout]).toEqual([0, 'recover result=ok runs=0 removed=0 left=0 stays=0\n']);
  }

  test('not by a reader that goes away: `| head -1` costs its own output and nothing else', async () => {
    const points = await pointCount();
    const backup = await backupHeldAt('saveas');
    backup.process.stdout?.destroy();
    backup.process.stderr?.destroy();
    await shell.control.release();
    expect((await backup.finished).exit).toBe(0);
    expect(await pointCount()).toBe(points + 1);
  });

  test('two runs on the same VM at once: the second is refused politely', async () => {
    const first = await backupHeldAt('saveas');
    const second = await shell.run(['backup', 'web', '--json']);
    expect(second.exit).toBe(11);
    expect(JSON.parse(second.stderr.trim())).toMatchObject({ code: 'CLI_VM_IN_USE', retryable: true, hint: expect.any(String) });
    await shell.control.release();
    expect((await first.finished).exit).toBe(0);
  });
});
