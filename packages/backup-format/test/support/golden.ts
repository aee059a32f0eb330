import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FakeClock, seededRandom } from '@onevault/base/testing';
import { createRepository, memoryStore, type ObjectStore, openRepository, type Repository, type RestorePoint } from '../../src/index.ts';
import { keysOf, readDisk, scanBytes } from '../../testing/index.ts';
import { passphrase, QUICK } from './encrypted.ts';
import { runVerify } from './run-verify.ts';

/**
 * Repositories that earlier releases wrote, byte for byte as they were written. They are never changed: a release that cannot read one of them breaks the
 * promise of docs/format.md section 14. `v<format version>-<what is special>`.
 */
const GOLDEN = fileURLToPath(new URL('../fixtures/golden/', import.meta.url));
const BLOCK = 64 * 1024;
const PASSPHRASE = 'the passphrase of the golden repository';
export const GOLDEN_NAMES = ['v1-blake3', 'v1-sha256', 'v1-encrypted'] as const;
export type GoldenName = (typeof GOLDEN_NAMES)[number];

export interface GoldenPoint {
  readonly id: string;
  readonly mode: string;
  /** SHA-256 of the bytes, in hex. */
  readonly disks: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly holds: readonly string[];
  readonly tags: readonly string[];
}

/** Written beside the repository, by the release that wrote it, from the disks themselves. */
export interface Golden {
  readonly points: readonly GoldenPoint[];
}

/** A copy in memory: nothing that a test does reaches the files. */
export async function openGolden(name: GoldenName): Promise<{ readonly store: ObjectStore; readonly repository: Repository; readonly golden: Golden }> {
  const store = memoryStore();
  const root = `${GOLDEN}${name}`;
  for (const entry of await readdir(root, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = `${entry.parentPath}/${entry.name}`;
    await store.put(path.slice(root.length + 1), await readFile(path));
  }
  const golden = JSON.parse(await readFile(`${root}.expected.json`, 'utf8')) as Golden;
  return { store, repository: await openRepository(store, depsFor(name, new FakeClock({ startMs: Date.UTC(2027, 0, 1) }))), golden };
}

/** Writes a golden repository that is not there yet. Refuses to touch one that is: what was released stays readable as it was. */
export async function makeGolden(name: GoldenName): Promise<void> {
  const root = `${GOLDEN}${name}`;
  await mkdir(GOLDEN, { recursive: true });
  await mkdir(root); // EEXIST: a golden repository is never written again
  const { store, golden } = await writeGolden(name);
  for (const key of await keysOf(store, '')) {
    await mkdir(dirname(`${root}/${key}`), { recursive: true });
    await writeFile(`${root}/${key}`, await store.get(key), { flag: 'wx' });
  }
  await writeFile(`${root}.expected.json`, `${JSON.stringify(golden, undefined, 2)}\n`, { flag: 'wx' });
}

/** Five points of a VM with two disks: zeros, text, repetition, noise, a short last block, an empty disk, marks, a merged index, a record of verify. */
async function writeGolden(name: GoldenName): Promise<{ readonly store: ObjectStore; readonly golden: Golden }> {
  const store = memoryStore();
  const random = seededRandom(GOLDEN_NAMES.indexOf(name) + 1);
  const clock = new FakeClock({ startMs: Date.UTC(2026, 10, 22, 19, 0, 0) });
  const deps = { ...depsFor(name, clock), randomBytes: (length: number) => random.bytes(length) };
  const digest = name === 'v1-sha256' ? 'sha256' : 'blake3';
  const encryption = name === 'v1-encrypted' ? { encryption: { secret: passphrase(PASSPHRASE), scrypt: QUICK } } : {};
  const repository = await createRepository(store, { digest, blockSizeBytes: BLOCK, ...encryption }, deps);
  const points: GoldenPoint[] = [];
  let parent: RestorePoint | undefined;
  for (let n = 0; n < 5; n++) {
    clock.advance(3_600_000);
    const disks = { 'disk-0': systemDisk(n), 'disk-1': dataDisk(n), 'disk-2': new Uint8Array(0) };
    const metadata = { 'vm.xml': `<VM><NAME>golden</NAME><RUN>${n}</RUN></VM>`, empty: '' };
    parent = await writeGoldenPoint(repository, disks, metadata, parent);
    points.push({
      id: parent.id,
      mode: parent.mode,
      disks: Object.fromEntries(Object.entries(disks).map(([key, disk]) => [key, sha256(disk)])),
      metadata,
      holds: n === 1 ? ['kept for the auditors'] : [],
      tags: n === 2 ? ['before-update'] : [],
    });
  }
  await repository.marks.hold(points[1]?.id ?? '', { reason: 'kept for the auditors', by: 'golden' });
  await repository.marks.tag(points[2]?.id ?? '', ['before-update']);
  await runVerify(repository);
  return { store, golden: { points } };
}

async function writeGoldenPoint(
  repository: Repository,
  disks: Readonly<Record<string, Uint8Array>>,
  metadata: Readonly<Record<string, string>>,
  before: RestorePoint | undefined,
): Promise<RestorePoint> {
  const mode = before ? 'incremental' : 'full';
  const parentId = before ? { parentId: before.id } : {};
  await using writer = await repository.begin({ group: 'vm-42', runId: 'golden', capturedAt: '2026-11-22T19:00:00Z', mode, ...parentId });
  for (const [key, disk] of Object.entries(disks)) {
    const parent = before && (await repository.openDisk(before, key));
    const runs = scanBytes(disk, { blockSizeBytes: BLOCK, digest: repository.digest, parent: parent?.baseline });
    await writer.writeDisk({ key, sizeBytes: disk.length, ...(parent && { parent }) }, runs);
  }
  for (const [key, text] of Object.entries(metadata)) await writer.writeMetadata(key, Buffer.from(text));
  return await writer.commit({ annotations: { name: 'golden', nested: { list: [1, null, 'ü'] } } });
}

/** What a point holds now, in the form of the golden one. */
export async function readPoint(repository: Repository, point: RestorePoint): Promise<GoldenPoint> {
  const disks: Record<string, string> = {};
  for (const { key } of point.disks) disks[key] = sha256(await readDisk(await repository.openDisk(point, key)));
  const metadata: Record<string, string> = {};
  for (const { name } of point.metadata) metadata[name] = Buffer.from(await repository.readMetadata(point, name)).toString();
  const holds: string[] = [];
  const tags: string[] = [];
  for await (const marks of repository.marks.list({ pointId: point.id })) {
    holds.push(...marks.holds.map(({ reason }) => reason));
    tags.push(...marks.tags);
  }
  return { id: point.id, mode: point.mode, disks, metadata, holds, tags };
}

/** Adds a point to what an older release wrote. */
export async function addPoint(repository: Repository, before: RestorePoint): Promise<GoldenPoint> {
  const disks = { 'disk-0': systemDisk(5), 'disk-1': dataDisk(0), 'disk-2': new Uint8Array(0) };
  const metadata = { 'vm.xml': 'a later one' };
  const point = await writeGoldenPoint(repository, disks, metadata, before);
  const sums = Object.fromEntries(Object.entries(disks).map(([key, disk]) => [key, sha256(disk)]));
  return { id: point.id, mode: 'incremental', disks: sums, metadata, holds: [], tags: [] };
}

function depsFor(name: GoldenName, clock: FakeClock): Parameters<typeof openRepository>[1] {
  return { clock, leaseHolder: { host: 'golden', pid: 1 }, ...(name === 'v1-encrypted' && { secret: passphrase(PASSPHRASE) }) };
}

/** Zeros, text that changes a little from run to run, and one byte over and over. */
function systemDisk(run: number): Uint8Array {
  const disk = Buffer.alloc(6 * BLOCK + 700);
  for (let block = 0; block < 3; block++) {
    for (let line = 0; line < 1000; line++)
      disk.write(`block ${block} line ${line} of the system, run ${block === run % 3 ? run : 0}\n`, block * BLOCK + line * 60);
  }
  disk.fill(7, 3 * BLOCK, 4 * BLOCK);
  disk.set(seededRandom(run).bytes(700), 6 * BLOCK); // stored raw
  return disk;
}

/** All zeros but a few bytes, and a size that is a multiple of the block. */
function dataDisk(run: number): Uint8Array {
  const disk = Buffer.alloc(2 * BLOCK);
  if (run > 0) disk.write(`written by run ${run}`, BLOCK + 1234);
  return disk;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
