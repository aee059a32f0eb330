import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createRepository, fileStore, type RestorePoint } from '@onevault/backup-format';
import { scanBytes } from '@onevault/backup-format/testing';
import { systemClock } from '@onevault/base';
import { seededRandom } from '@onevault/base/testing';
import { type Finished, type Running, runCommand, startCommand } from './command-line.ts';
import { type Requirement, requiresCommand } from './requires.ts';

/** Real clients of NBD, and what makes certificates. */
export const NBD_CLIENTS: readonly Requirement[] = [
  requiresCommand('nbdinfo', 'apt-get install libnbd-bin'),
  requiresCommand('nbdcopy', 'apt-get install libnbd-bin'),
  requiresCommand('qemu-img', 'apt-get install qemu-utils'),
  requiresCommand('qemu-io', 'apt-get install qemu-utils'),
];

export const BLOCK = 64 * 1024;
const MIB = 1024 * 1024;

/** Disks that are hard to get right, by name; the same bytes for the same seed. */
export function awkwardDisks(seed: number): ReadonlyMap<string, Buffer> {
  const random = seededRandom(seed);
  const sparse = Buffer.alloc(24 * MIB);
  for (const at of [0, 7 * MIB + 512, 15 * MIB, 24 * MIB - 4096]) sparse.set(random.bytes(4096), at);
  const mixed = Buffer.alloc(6 * MIB);
  for (let at = 0; at < mixed.length; at += 4096) if (random.int(3) > 0) mixed.fill(random.int(2) ? random.bytes(4096) : `${random.int(1000)} `, at, at + 4096);
  return new Map([
    ['sparse', sparse],
    ['empty', Buffer.alloc(5 * MIB)],
    ['odd', Buffer.from(random.bytes(3 * MIB + 513))],
    ['mixed', mixed],
  ]);
}

export interface NbdWorld extends AsyncDisposable {
  readonly directory: string;
  readonly repository: string;
  readonly point: RestorePoint;
  readonly disks: ReadonlyMap<string, Buffer>;
  /** A disk's bytes as a file. */
  rawFile(name: string): Promise<string>;
  /** The built command with this repository and no OpenNebula. */
  run(...args: readonly string[]): Promise<Finished>;
  serve(...args: readonly string[]): Promise<Serving>;
}

export interface Serving extends AsyncDisposable {
  readonly pid: number;
  /** By name of the disk. */
  uri(name: string): string;
  stop(signal?: NodeJS.Signals): Promise<Finished>;
}

/** A repository with one restore point of these disks, and nothing else. */
export async function nbdWorld(disks: ReadonlyMap<string, Buffer>): Promise<NbdWorld> {
  const directory = await mkdtemp(join(tmpdir(), 'onevault-nbd-test-'));
  const repository = join(directory, 'repository');
  const point = await store(repository, disks);
  const env = { HOME: directory, ONEVAULT_REPO: repository };
  const started = new Set<Running>();
  return {
    directory,
    repository,
    point,
    disks,
    async rawFile(name) {
      const path = join(directory, `${name}.raw`);
      await writeFile(path, disks.get(name) ?? Buffer.alloc(0));
      return path;
    },
    run: (...args) => runCommand(args, env),
    async serve(...args) {
      const server = startCommand(['nbd', 'serve', point.id, '--json', ...args], { PATH: process.env['PATH'] ?? '', ...env });
      started.add(server);
      await server.sees(/\n/);
      const ready = JSON.parse(server.stdout()) as { readonly exports: readonly { readonly diskId: number; readonly uri: string }[] };
      const names = [...disks.keys()];
      const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<Finished> => {
        server.process.kill(signal);
        started.delete(server);
        return await server.finished;
      };
      return {
        pid: server.process.pid ?? 0,
        uri: (name) => ready.exports.find(({ diskId }) => names[diskId] === name)?.uri ?? '',
        stop,
        async [Symbol.asyncDispose]() {
          if (started.has(server)) await stop();
        },
      };
    },
    async [Symbol.asyncDispose]() {
      for (const server of started) server.process.kill('SIGKILL');
      await Promise.all([...started].map(({ finished }) => finished));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function store(path: string, disks: ReadonlyMap<string, Buffer>): Promise<RestorePoint> {
  await using repository = await createRepository(fileStore(path), { blockSizeBytes: BLOCK }, { clock: systemClock });
  await using writer = await repository.begin({ group: 'vm-42', runId: 'run-1', capturedAt: '2026-11-27T19:00:00Z', mode: 'full' });
  for (const [diskId, [, bytes]] of [...disks].entries()) {
    const runs = scanBytes(bytes, { blockSizeBytes: BLOCK, digest: repository.digest });
    await writer.writeDisk({ key: `disk-${diskId}`, sizeBytes: bytes.length, annotations: { diskId, target: `vd${'abcdef'[diskId]}` } }, runs);
  }
  return await writer.commit({ annotations: { vm: { id: 42, name: 'web' } } });
}

/** What a real client printed; rejects with all of it when it failed: qemu-io says on stdout what went wrong. */
export async function client(program: string, ...args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(program, args, { timeout: 120_000, maxBuffer: 64 * MIB })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout?: string; readonly stderr?: string };
    throw new Error(`${program} ${args.join(' ')}: ${stderr ?? ''} ${stdout ?? ''}`, { cause: error });
  }
}
