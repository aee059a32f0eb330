import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jsonLine } from '../../apps/cli/test/support/json-lines-schema.ts';
import { documentOf, openSecondShell, type SecondShell } from '../support/command-line.ts';

/** Snapshots by commands alone, without a repository. The tests are steps, in order. */
describe('onevault snapshot', { timeout: 60_000 }, () => {
  let shell: SecondShell;
  const env = { ONEVAULT_REPO: '' };
  const disk = (at: number): Promise<string> => shell.control.checksum(1, at);
  const lines = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => jsonLine.parse(JSON.parse(line)));
  let taken: string[];

  beforeAll(async () => {
    shell = await openSecondShell();
    await shell.run(['sim', 'create-vm', 'web', '--disk', '2MiB', '--disk', '2MiB']);
    await shell.control.writeRandom(1, 0, { seed: 1, count: 10, blockBytes: 4096 });
  }, 60_000);
  afterAll(() => shell[Symbol.asyncDispose](), 60_000);

  test('create takes a set, and says so in one line', async () => {
    const made = await shell.run(['snapshot', 'create', 'web', '--name', 'before-upgrade'], env);
    expect(made).toMatchObject({ exit: 0, stdout: expect.stringMatching(/^snapshot action=create vm=1 name=web result=ok set=\S+ disks=2 duration=\S+\n$/) });
    taken = [await disk(0), await disk(1)];
  });

  test('list shows it as ours beside what is not, and whether it can be deleted', async () => {
    const table = await shell.run(['snapshot', 'list', 'web', '-l', 'NAME,WHOSE,DISKS,DISK,DELETABLE', '--csv', '--no-header'], env);
    expect(table.stdout.trim().split('\n')).toEqual(['before-upgrade,ours,2,0,yes', 'before-upgrade,ours,2,1,yes']);
    const document = documentOf(await shell.run(['snapshot', 'list', '--all', '--json'], env));
    expect(document).toMatchObject({
      type: 'snapshot.list',
      vms: expect.arrayContaining([
        expect.objectContaining({ vmName: 'web', sets: [expect.objectContaining({ name: 'before-upgrade', missingDisks: [] })], others: [] }),
      ]),
    });
  });

  test('revert tells every step as JSON lines, and brings the disks and the VM back', async () => {
    for (const at of [0, 1]) await shell.control.writeRandom(1, at, { seed: 5 + at, count: 10, blockBytes: 4096 });
    expect([await disk(0), await disk(1)]).not.toEqual(taken);
    const reverted = await shell.run(['snapshot', 'revert', 'web', 'latest', '--yes', '--jsonl'], env);
    expect(reverted).toMatchObject({ exit: 0, stderr: '' });
    const told = lines(reverted.stdout);
    expect(told.at(-1)).toMatchObject({ type: 'snapshot.revert', snapshots: [{ outcome: 'complete', disks: [{ diskId: 0 }, { diskId: 1 }] }] });
    expect(told.flatMap((line) => (line.type === 'step.finished' ? [line.step] : []))).toEqual(['stop-vm', 'revert-snapshot', 'revert-snapshot', 'start-vm']);
    expect([await disk(0), await disk(1)]).toEqual(taken);
    expect((await shell.control.state()).vms.find(({ id }) => id === 1)).toMatchObject({ stateText: 'RUNNING' });
  });

  test.each<[string, string[], number, string]>([
    ['a set that is not there', ['revert', 'web', 'nothing', '--yes'], 1, 'JOB_SNAPSHOT_UNKNOWN'],
    ['a VM that is not there', ['create', 'nobody'], 1, 'CLI_VM_NOT_FOUND'],
    ['what the guard refuses', ['create', 'web', '--max-chain', '1'], 1, 'JOB_SNAPSHOT_REFUSED'],
    ['a policy without a limit', ['prune', 'web'], 2, 'JOB_SNAPSHOT_POLICY_INVALID'],
    ['an age in months', ['prune', 'web', '--max-age', '2m'], 2, 'CLI_USAGE'],
    ['a name that looks like one of ours', ['create', 'web', '--name', 'onevault-x'], 2, 'JOB_NAME_INVALID'],
    ['a proxy VM that would stop itself', ['revert', 'web', 'latest', '--yes', '--proxy-vm', '1'], 1, 'JOB_SNAPSHOT_REFUSED'],
  ])('%s is exit code and error code', async (_, args, exit, code) => {
    const refused = await shell.run(['snapshot', ...args, '--json'], env);
    expect(refused.exit).toBe(exit);
    expect(JSON.parse(refused.stderr.trim())).toMatchObject({ type: 'exit_error', code });
  });

  test('prune says with --dry-run what would go and why, and without it lets it go', async () => {
    expect((await shell.run(['snapshot', 'create', 'web', '--name', 'nightly', '-q'], env)).exit).toBe(0);
    const preview = documentOf(await shell.run(['snapshot', 'prune', 'web', '--keep', '1', '--dry-run', '--json'], env));
    expect(preview).toMatchObject({
      dryRun: true,
      vms: [
        {
          sets: [
            { name: 'nightly', outcome: 'kept', reasons: ['newest#1'] },
            { name: 'before-upgrade', outcome: 'would-delete', reasons: ['beyond-keep#2'] },
          ],
        },
      ],
    });
    const pruned = await shell.run(['snapshot', 'prune', 'web', '--keep', '1'], env);
    expect(pruned).toMatchObject({ exit: 0, stdout: expect.stringMatching(/\nsnapshot action=prune result=ok vms=1 sets=2 deleted=1 left=0\n$/) });
  });

  test('delete leaves nothing', async () => {
    expect((await shell.run(['snapshot', 'delete', 'web', 'nightly', '--yes'], env)).exit).toBe(0);
    expect((await shell.control.state()).vms.find(({ id }) => id === 1)?.snapshots).toEqual([]);
    expect(await shell.control.unexpectedErrors()).toEqual([]);
  });
});
