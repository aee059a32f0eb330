import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { documentOf, openSecondShell, type SecondShell } from '../support/command-line.ts';

/** Restore points of two VMs, copied from a repository that is not encrypted into one that is. The tests are its steps, in order. */
describe('copying to another repository', { timeout: 60_000 }, () => {
  let shell: SecondShell;
  let to: string;
  const secret = { ONEVAULT_TARGET_PASSPHRASE: 'correct horse battery staple' };

  beforeAll(async () => {
    shell = await openSecondShell('0');
    to = join(shell.dir, 'copies');
    for (const name of ['web', 'db']) await shell.run(['sim', 'create-vm', name, '--disk', '2MiB']);
    await shell.run(['init']);
    expect(await shell.run(['init', '--repo', to, '--encrypt'], { ONEVAULT_PASSPHRASE: secret.ONEVAULT_TARGET_PASSPHRASE })).toMatchObject({ exit: 0 });
    for (const name of ['web', 'web', 'db']) expect(await shell.run(['backup', name, '-q'])).toMatchObject({ exit: 0 });
  }, 120_000);
  afterAll(() => shell[Symbol.asyncDispose](), 60_000);

  async function ids(env: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
    const { points } = documentOf(await shell.run(['point', 'list', '--json'], env)) as { points: readonly { id: string }[] };
    return points.map(({ id }) => id);
  }

  test('what to copy must be said', async () => {
    expect((await shell.run(['repo', 'copy', '--to', to], secret)).exit).toBe(2);
    expect((await shell.run(['repo', 'copy', '--to', to, '--all', '--vm', 'web'], secret)).exit).toBe(2);
  });

  test('the secret of the target is its own', async () => {
    expect((await shell.run(['repo', 'copy', '--to', to, '--all'], { ONEVAULT_TARGET_PASSPHRASE: 'not this one' })).exit).toBe(12);
  });

  test('the points of a VM are copied, then the rest, and nothing twice', async () => {
    const one = await shell.run(['repo', 'copy', '--to', to, '--vm', 'web', '--json'], secret);
    expect(one).toMatchObject({ exit: 0 });
    expect(documentOf(one)).toMatchObject({ type: 'repo.copy', copied: 2, present: 0, failed: 0 });
    const all = await shell.run(['repo', 'copy', '--to', to, '--all'], secret);
    expect(all.stdout).toMatch(/copy result=ok copied=1 present=2 failed=0 /);
    expect(await ids({ ONEVAULT_REPO: to, ONEVAULT_PASSPHRASE: secret.ONEVAULT_TARGET_PASSPHRASE })).toEqual(await ids());
  });

  test('--since leaves out what is older', async () => {
    const finished = await shell.run(['repo', 'copy', '--to', to, '--all', '--since', '2999-01-01', '--json'], secret);
    expect(documentOf(finished)).toMatchObject({ copied: 0, present: 0, failed: 0 });
  });

  test('the copies verify', async () => {
    const finished = await shell.run(['verify', '--json', '--repo', to], { ONEVAULT_PASSPHRASE: secret.ONEVAULT_TARGET_PASSPHRASE });
    expect(finished).toMatchObject({ exit: 0 });
    expect(documentOf(finished)).toMatchObject({ result: 'ok', points: 3 });
  });
});
