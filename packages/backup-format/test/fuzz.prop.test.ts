import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkCodecs } from '../src/codec/chunk-codec.ts';
import { plainProtection } from '../src/crypto/protection.ts';
import { canonicalJson } from '../src/format/canonical-json.ts';
import { encodeChunkHeader } from '../src/format/chunk-header.ts';
import { encodePackHeader, encodePackTail } from '../src/format/pack-layout.ts';
import { plainSum } from '../src/format/structure-sum.ts';
import { isRepositoryError, type Json, type Repository } from '../src/index.ts';
import { keysOf } from '../testing/index.ts';
import { type DamageBed, damageOf, makeBed, storeOf, survey } from './support/damage-bed.ts';
import { newEncrypted, openWith } from './support/encrypted.ts';
import { newRepository, reopen } from './support/small-vm.ts';

type Mutation = (bytes: Buffer) => Buffer;

const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
/** Also near the end, where footers are. */
const place = fc.oneof(
  at,
  at.map((share) => 0.9999 - share / 100),
  at.map((share) => share / 100),
);
const extremes = fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 16 * 1024 * 1024, 16 * 1024 * 1024 + 1, 65_536, 65_537);

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(place, fc.nat(255)).map(
    ([where, value]): Mutation =>
      (bytes) =>
        edited(bytes, (out) => out.writeUInt8(value, Math.floor(where * out.length))),
  ),
  fc.tuple(place, extremes).map(
    ([where, value]): Mutation =>
      (bytes) =>
        bytes.length < 8 ? bytes : edited(bytes, (out) => out.writeUInt32LE(value, Math.floor((where * (out.length - 4)) / 4) * 4)),
  ),
  at.map(
    (where): Mutation =>
      (bytes) =>
        bytes.subarray(0, Math.floor(where * bytes.length)),
  ),
  fc.tuple(place, fc.uint8Array({ maxLength: 100 })).map(
    ([where, more]): Mutation =>
      (bytes) =>
        Buffer.concat([bytes.subarray(0, Math.floor(where * bytes.length)), more, bytes.subarray(Math.floor(where * bytes.length))]),
  ),
  fc.tuple(place, at).map(
    ([where, length]): Mutation =>
      (bytes) =>
        Buffer.concat([bytes, bytes.subarray(Math.floor(where * bytes.length), Math.floor(where * bytes.length + length * 5000))]),
  ),
);

function edited(bytes: Buffer, edit: (out: Buffer) => void): Buffer {
  const out = Buffer.from(bytes);
  if (out.length > 0) edit(out);
  return out;
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** Makes the checksums of a mutated object right again, as one who knows the format would: what lies behind them must hold by itself. */
function reseal(key: string, bytes: Buffer): Buffer {
  if (key.startsWith('packs/')) return resealPack(bytes);
  return key.startsWith('index/') ? resealTable(bytes) : resealJson(bytes);
}

function resealPack(bytes: Buffer): Buffer {
  if (bytes.length < 128) return bytes;
  const footer = bytes.length - 64;
  const trailer = bytes.readUInt32LE(footer + 16);
  if (trailer > footer) return bytes;
  return edited(bytes, (out) => sha256(out.subarray(0, 64), out.subarray(trailer, footer), out.subarray(footer, footer + 32)).copy(out, footer + 32));
}

function resealTable(bytes: Buffer): Buffer {
  return edited(bytes, (out) => {
    for (let page = 0; page + 4096 <= out.length - 128; page += 4096) sha256(out.subarray(page, page + 4064)).copy(out, page + 4064);
    const footer = out.length - 128;
    if (footer < 0) return;
    const pages = out.readUInt32LE(footer + 24) + out.readUInt32LE(footer + 28);
    if (4096 * pages < footer) sha256(out.subarray(4096 * pages, footer)).copy(out, footer + 64);
    sha256(out.subarray(footer, footer + 96)).copy(out, footer + 96);
  });
}

function resealJson(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0x0a);
  try {
    const head: Record<string, Json> = JSON.parse(bytes.subarray(0, end).toString());
    const body = bytes.subarray(end + 1, -1);
    return Buffer.concat([Buffer.from(`${canonicalJson({ ...head, length: body.length, sha256: sha256(body).toString('hex') })}\n`), body, Buffer.of(10)]);
  } catch {
    return bytes; // not even JSON any more
  }
}

function mutated(bed: DamageBed, key: string, mutations: readonly Mutation[]): Buffer {
  let bytes: Buffer = Buffer.from(bed.objects.get(key) ?? []);
  for (const mutate of mutations) bytes = mutate(bytes);
  return bytes;
}

/** Everything that reads, on a repository with one mutated object. */
async function readEverything(bed: DamageBed, key: string, bytes: Buffer): Promise<void> {
  const store = await storeOf(new Map([...bed.objects, [key, bytes]]));
  const repository = await typed(() => bed.open(store));
  if (!repository) return;
  await typed(() => survey(bed, repository)); // compares what it can have back
  await typed(() => damageOf(repository, 'all'));
  await typed(() => damageOf(repository, 'structure'));
  await typed(() => repository.verifyRecords());
  await typed(() => repository.stats());
  await typed(() => repository.leases());
  await typed(() => repository.damagedPoints());
  await typed(() => repository.collectGarbage({ dryRun: true, wait: false }));
  await typed(() => repository.repair({ dryRun: true }));
}

async function typed<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isRepositoryError(error)) return undefined;
    throw error;
  }
}

const repositories: readonly (readonly [string, () => Promise<DamageBed>])[] = [
  ['a repository in the clear', () => makeBed(newRepository, reopen)],
  ['an encrypted repository', () => makeBed((store) => newEncrypted(store), openWith)],
];

describe.each(repositories)('whatever an object of %s is turned into', (_, make) => {
  it('I15, I16: readers throw nothing but RepositoryError and hand out nothing wrong', async () => {
    const bed = await make();
    const keys = [...bed.objects.keys()];
    const kinds = new Map(keys.map((key) => [key.split('/')[0], keys.filter((other) => other.split('/')[0] === key.split('/')[0])]));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...kinds.values()).chain((ofKind) => fc.constantFrom(...ofKind)),
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        async (key, mutations) => {
          const bytes = mutated(bed, key, mutations);
          await readEverything(bed, key, bytes);
        },
      ),
      { numRuns: 60 },
    );
  }, 120_000);
});

describe('objects with right checksums around wrong contents', () => {
  it('I12, I15: readers throw nothing but RepositoryError, in bounded time and memory', async () => {
    const bed = await makeBed(newRepository, reopen);
    const keys = [...bed.objects.keys()].filter((key) => !key.startsWith('points/'));
    const before = process.memoryUsage().rss;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...keys), fc.array(mutation, { minLength: 1, maxLength: 3 }), async (key, mutations) => {
        const bytes = mutated(bed, key, mutations);
        await readEverything(bed, key, reseal(key, bytes));
      }),
      { numRuns: 80 },
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024);
  }, 120_000);

  it('a manifest: every field of any JSON value', async () => {
    const bed = await makeBed(newRepository, reopen);
    const [key = ''] = [...bed.objects.keys()].filter((candidate) => candidate.startsWith('points/'));
    const [head = '', body = ''] = Buffer.from(bed.objects.get(key) ?? [])
      .toString()
      .split('\n');
    const manifest: Record<string, Json> = JSON.parse(body);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...Object.keys(manifest)), fc.jsonValue({ maxDepth: 2 }), async (field, value) => {
        const text = canonicalJson({ ...manifest, [field]: JSON.parse(JSON.stringify(value)) });
        const store = await storeOf(new Map([...bed.objects, [key, resealJson(Buffer.from(`${head}\n${text}\n`))]]));
        const repository = await bed.open(store);
        await typed(() => damageOf(repository, 'structure'));
        for await (const listed of repository.points()) if (listed.kind === 'point') await typed(() => readAll(repository, listed.point.id));
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  async function readAll(repository: Repository, id: string): Promise<void> {
    const point = await repository.point(id);
    for (const { key } of point.disks) for await (const run of (await repository.openDisk(point, key)).blocks()) expect(run.offset).toBeGreaterThanOrEqual(0);
  }

  it('I15: a chunk that would decompress to a thousand times what it says is refused by verify, restore and repair, before it is decompressed', async () => {
    const bed = await makeBed(newRepository, reopen);
    const store = await storeOf(bed.objects);
    const repository = await bed.open(store);
    const codecs = new ChunkCodecs({ compression: { codec: 'zstd', level: 3 } }, plainProtection('blake3'));
    const digest = Buffer.alloc(32, 7);
    const parts = Array.from({ length: 64 }, () => bombFrame(codecs));
    const identity = { repositoryId: repository.config.id, sum: plainSum, packId: '5a'.repeat(16) };
    const header = encodePackHeader(identity);
    const chunks: Buffer[] = [];
    const trailer: Buffer[] = [];
    let offset = 64;
    for (const frame of await Promise.all(parts)) {
      const record = encodeChunkHeader({ type: 'data', codec: 'zstd', plainBytes: 65_536, storedBytes: frame.length, digest });
      chunks.push(Buffer.from(record), frame);
      record.writeUInt32LE(offset, 0);
      trailer.push(record);
      offset += 48 + frame.length;
    }
    await store.put(`packs/5a/${'5a'.repeat(16)}`, Buffer.concat([header, ...chunks, encodePackTail(identity, header, Buffer.concat(trailer), offset)]));
    const before = process.memoryUsage().rss;
    const damage = await damageOf(repository, 'all');
    expect(damage).toMatchObject([{ key: `packs/5a/${'5a'.repeat(16)}`, error: { code: 'REPO_CHUNK_CORRUPT' }, harmless: true }]);
    await repository.repair({ dryRun: true });
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
    expect((await keysOf(store, 'packs/')).length).toBeGreaterThan(4);
  });

  /** 16 MiB of one letter, behind a Frame_Content_Size of 64 KiB. */
  async function bombFrame(codecs: ChunkCodecs): Promise<Buffer> {
    const { parts } = await codecs.encode(Buffer.alloc(16 * 1024 * 1024, 'x'), { type: 'data', digest: Buffer.alloc(32) });
    const frame = Buffer.concat(parts);
    frame.writeUInt32LE(65_536, 6);
    return frame;
  }
});
