import { createHash } from 'node:crypto';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileStore, openRepository } from '@onevault/backup-format';
import { systemClock } from '@onevault/base';
import { randomWrites } from '@onevault/one-sim';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backupReport, jsonLine } from '../../apps/cli/test/support/json-lines-schema.ts';
import { documentOf, openSecondShell, type SecondShell } from '../support/command-line.ts';

const MIB = 1024 * 1024;
const DISKS = [
  { diskId: 0, sizeMiB: 24 },
  { diskId: 1, sizeMiB: 40 },
] as const;

/** One per cent of the blocks of 4 KiB, at random. */
const WRITES = { seed: 5, count: Math.round((40 * MIB) / 4096 / 100), blockBytes: 4096 };

/** With `onevault sim` as one process and its exports in a second shell, the whole job is done by commands alone. The tests are its steps, in order. */
describe('the main job from a second shell', { timeout: 120_000 }, () => {
  let shell: SecondShell;
  const captured: string[][] = [];

  beforeAll(async () => {
    shell = await openSecondShell();
  }, 60_000);
  afterAll(() => shell[Symbol.asyncDispose](), 60_000);

  /** The disks as they are now, copied aside: what a backup taken now must give back. */
  async function keepReference(): Promise<void> {
    const paths: string[] = [];
    for (const { diskId } of DISKS) {
      const path = join(shell.dir, `reference-${captured.length}-${diskId}`);
      await copyFile(await shell.control.diskPath(1, diskId), path);
      paths.push(path);
    }
    captured.push(paths);
  }

  async function expectRestored(vmId: number, references: readonly string[]): Promise<void> {
    for (const { diskId } of DISKS) {
      const restored = await readFile(await shell.control.diskPath(vmId, diskId));
      expect(sha256(restored), `disk ${diskId} of VM ${vmId}`).toBe(sha256(await readFile(references[diskId] ?? '')));
    }
  }

  test('vm list shows a VM that was just made, with the columns asked for', async () => {
    const made = await shell.run(['sim', 'create-vm', 'web', '--disk', '24MiB', '--disk', '40MiB', '--volatile', '8MiB']);
    expect(made).toMatchObject({ exit: 0, stderr: '' });
    const list = await shell.run(['vm', 'list', '-l', 'ID,NAME,STAT', '--csv', '--no-header']);
    expect(list.stdout.trim().split('\n')).toContain('1,web,runn');
  });

  test('plan says what would happen to each disk and touches nothing', async () => {
    const before = await shell.control.state();
    const plan = await shell.run(['plan', 'web', '--json']);
    expect(plan.exit).toBe(0);
    expect(documentOf(plan)).toMatchObject({
      schemaVersion: 1,
      type: 'plan',
      plans: [
        {
          verdict: 'ok',
          disks: [
            { verdict: 'capture', method: 'snapshot' },
            { verdict: 'capture', method: 'snapshot' },
            { verdict: 'skip', reasons: [{ code: 'SKIP_VOLATILE' }] },
          ],
        },
      ],
    });
    expect(await shell.control.state()).toEqual(before);
  });

  test('the first backup is full; every JSON line keeps its promise and the last one is the result', async () => {
    await shell.control.writeRandom(1, 0, { seed: 1, count: 12, blockBytes: MIB });
    await shell.control.writeRandom(1, 1, { seed: 2, count: 20, blockBytes: MIB });
    expect((await shell.run(['init'])).exit).toBe(0);
    await keepReference();
    const backup = await shell.run(['backup', 'web', '--jsonl']);
    expect(backup).toMatchObject({ exit: 0, stderr: '' });
    const lines = backup.stdout
      .trim()
      .split('\n')
      .map((line) => jsonLine.parse(JSON.parse(line)));
    expect(lines.at(0)?.type).toBe('run.started');
    expect(lines.at(-1)?.type).toBe('backup.result');
    expect(new Set(lines.map((line) => line.type))).toEqual(
      new Set([
        'run.started',
        'vm.planned',
        'disk.skipped',
        'disk.mode',
        'step.started',
        'step.finished',
        'disk.progress',
        'disk.finished',
        'restore-point.committed',
        'run.finished',
        'backup.result',
      ]),
    );
    for (const { diskId } of DISKS) {
      const done = lines.flatMap((line) => (line.type === 'disk.progress' && line.diskId === diskId ? [line] : []));
      expect(done.at(-1)?.doneBytes).toBe(done.at(-1)?.totalBytes);
    }
  });

  test('an incremental stores only what the guest changed: exactly the blocks its writes touched', async () => {
    await shell.run(['sim', 'write', 'web', '1', '--random', String(WRITES.count), '--block-size', '4KiB', '--seed', String(WRITES.seed)]);
    await keepReference();
    const backup = await shell.run(['backup', '1', '--json']);
    expect(backup.exit).toBe(0);
    const document = documentOf(backup);
    const [report] = Array.isArray(document['backups']) ? document['backups'] : [];
    const { mode, disks } = backupReport.parse(report);
    expect(mode).toBe('incremental');
    const touched = new Set([...randomWrites(WRITES, 40 * MIB)].map(({ offset }) => Math.floor(offset / MIB)));
    expect(disks.map((disk) => [disk.diskId, disk.modeReason, disk.stats.changedBlocks])).toEqual([
      [0, 'PARENT_TRUSTED', 0],
      [1, 'PARENT_TRUSTED', touched.size],
    ]);
    expect(disks[1]?.stats.storedBytes).toBeLessThanOrEqual(touched.size * (MIB + 1024));
    expect(disks[1]?.readBytes).toBeLessThanOrEqual(40 * MIB);
  });

  test('point list, point show and verify need no OpenNebula', async () => {
    const alone = { ONE_XMLRPC: 'http://127.0.0.1:9/RPC2', ONE_AUTH: '/nowhere' };
    const list = await shell.run(['point', 'list', 'web', '-l', 'VM,NAME,MODE', '--csv', '--no-header'], alone);
    expect(list).toMatchObject({ exit: 0, stdout: '1,web,full\n1,web,incremental\n' });
    expect((await shell.run(['point', 'show', 'latest~1', '--vm', 'web'], alone)).stdout).toContain('not in it: disk 2 vdc: SKIP_VOLATILE');
    const verify = await shell.run(['verify'], alone);
    expect(verify.exit).toBe(0);
    expect(verify.stdout).toMatch(/^verify result=ok points=2 .* damaged=0 duration=\d+\.\ds\n$/);
  });

  test('both points restore to new RUNNING VMs, byte for byte', async () => {
    for (const [at, point] of ['latest~1', 'latest'].entries()) {
      const restore = await shell.run(['restore', point, '--vm', 'web', '--name', `web-${at}`]);
      expect(restore.exit, restore.stderr).toBe(0);
      const vmId = Number(/^restore vm=(\d+) name=web-\d result=ok /.exec(restore.stdout)?.[1]);
      expect((await shell.control.state()).vms.find((vm) => vm.id === vmId)?.stateText).toBe('RUNNING');
      await expectRestored(vmId, captured[at] ?? []);
    }
  });

  test('the second point restores after the first one is gone: there are no chains', async () => {
    await using repository = await openRepository(fileStore(shell.repo), { clock: systemClock });
    const ids: string[] = [];
    for await (const listed of repository.points()) if (listed.kind === 'point') ids.push(listed.point.id);
    expect(ids).toHaveLength(2);
    await repository.forgetPoint(ids[0] ?? '');
    const restore = await shell.run(['restore', 'latest', '--vm', 'web', '--name', 'orphan', '--json']);
    expect(restore.exit, restore.stderr).toBe(0);
    await expectRestored(Number(documentOf(restore)['vmId']), captured[1] ?? []);
    expect((await shell.run(['verify'])).exit).toBe(0);
  });

  test('the simulator shows nothing of ours but the restored VMs and their images', async () => {
    expect(await shell.run(['sim', 'leftovers'])).toMatchObject({ exit: 0, stdout: 'nothing of ours is left\n' });
    const { vms, images, templates } = await shell.control.state();
    expect(vms.map((vm) => vm.name)).toEqual(['onevault-proxy', 'web', 'web-0', 'web-1', 'orphan']);
    expect(images).toHaveLength(3 + 3 * DISKS.length);
    expect(templates.map((template) => template.name)).toEqual(['onevault-proxy-template', 'web-template']);
    expect(vms.flatMap((vm) => vm.snapshots)).toEqual([]);
    expect(await shell.control.unexpectedErrors()).toEqual([]);
  });
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
