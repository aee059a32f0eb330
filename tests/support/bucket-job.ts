import { createHash } from 'node:crypto';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { documentOf, type Finished, type SecondShell } from './command-line.ts';

const MIB = 1024 * 1024;
/** Larger than a part of an upload, in incompressible bytes. */
const DISKS = [
  { diskId: 0, sizeMiB: 12, writes: { seed: 1, count: 6, blockBytes: MIB } },
  { diskId: 1, sizeMiB: 32, writes: { seed: 2, count: 24, blockBytes: MIB } },
] as const;

/** How a second shell reaches its bucket. */
export interface BucketAccess {
  /** `s3://…` */
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The whole job by commands alone, its encrypted repository in a bucket: init, full backup, guest writes, incremental, verify, restore of both points, comparison.
 * `between` runs after the incremental.
 */
export async function mainJobInBucket(shell: SecondShell, { url, env }: BucketAccess, between: () => Promise<void> = async () => undefined): Promise<void> {
  const inBucket = { ...env, ONEVAULT_REPO: url, ONEVAULT_PASSPHRASE: 'correct horse battery staple' };
  const run = async (...args: string[]): Promise<Finished> => {
    const finished = await shell.run(args, inBucket);
    expect(finished.exit, `onevault ${args.join(' ')}: ${finished.stderr}`).toBe(0);
    return finished;
  };
  await run('sim', 'create-vm', 'web', ...DISKS.flatMap(({ sizeMiB }) => ['--disk', `${sizeMiB}MiB`]));
  for (const { diskId, writes } of DISKS) await shell.control.writeRandom(1, diskId, writes);
  expect((await run('init', '--encrypt')).stdout).toContain('encrypted');
  const references = [await keepDisks(shell, 'first')];
  expect(backupOf(await run('backup', 'web', '--json'))).toMatchObject({ mode: 'full', outcome: 'complete' });
  await run('sim', 'write', 'web', '1', '--random', '40', '--block-size', '4KiB', '--seed', '5');
  references.push(await keepDisks(shell, 'second'));
  const incremental = backupOf(await run('backup', 'web', '--json'));
  expect(incremental).toMatchObject({ mode: 'incremental', outcome: 'complete' });
  await between();
  expect((await run('point', 'list', 'web', '-l', 'MODE', '--csv', '--no-header')).stdout).toBe('full\nincremental\n');
  expect((await run('verify')).stdout).toMatch(/^verify result=ok .*points=2 .* damaged=0 /m);
  for (const [at, point] of ['latest~1', 'latest'].entries()) {
    const restored = documentOf(await run('restore', point, '--vm', 'web', '--name', `web-${at}`, '--json'));
    for (const { diskId } of DISKS) {
      const bytes = await readFile(await shell.control.diskPath(Number(restored['vmId']), diskId));
      expect(sha256(bytes), `disk ${diskId} of ${point}`).toBe(references[at]?.get(diskId));
    }
  }
  expect((await run('sim', 'leftovers')).stdout).toBe('nothing of ours is left\n');
}

function backupOf(finished: Finished): unknown {
  const { backups } = documentOf(finished);
  return Array.isArray(backups) ? backups[0] : undefined;
}

/** Digests of the disks as they are now: what a backup taken now must give back. */
async function keepDisks(shell: SecondShell, name: string): Promise<ReadonlyMap<number, string>> {
  const digests = new Map<number, string>();
  for (const { diskId } of DISKS) {
    const copy = join(shell.dir, `${name}-${diskId}`);
    await copyFile(await shell.control.diskPath(1, diskId), copy);
    digests.set(diskId, sha256(await readFile(copy)));
  }
  return digests;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
