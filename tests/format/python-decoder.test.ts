import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createRepository,
  type DigestSpec,
  type DiskReader,
  fileStore,
  keyFileSecret,
  newRecoveryKey,
  type Repository,
  type RepositorySecret,
  type RestorePoint,
  type WritableRun,
} from '@onevault/backup-format';
import { scanBytes } from '@onevault/backup-format/testing';
import { Secret } from '@onevault/base';
import { FakeClock, seededRandom } from '@onevault/base/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeWith, requiresCommand, requiresPythonModule } from '../support/requires.ts';

/** docs/format/onevault_decode.py was written from docs/format.md alone: where it and this code disagree, one of the three is wrong. */
const DECODER = fileURLToPath(new URL('../../docs/format/onevault_decode.py', import.meta.url));
const BLOCK = 64 * 1024;
const CAPTURED = '2026-11-22T19:00:00Z';
const VM_XML = Buffer.from('<VM><ID>6</ID><NAME>wëb</NAME></VM>');
const PYTHON = requiresCommand('python3', 'apt-get install python3');
const CRYPTOGRAPHY = requiresPythonModule('cryptography', 'apt-get install python3-cryptography');
const ZSTD = requiresCommand('zstd', 'apt-get install zstd');

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ov-decoder-'));
  path = join(directory, 'repository');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test('the decoder has at most 150 lines', async () => {
  expect((await readFile(DECODER, 'utf8')).trimEnd().split('\n').length).toBeLessThanOrEqual(150);
});

describeWith([PYTHON, ZSTD], 'a decoder written from docs/format.md', () => {
  for (const digest of ['sha256', 'blake3'] as const) {
    test(`restores every disk and file of every restore point byte for byte (${digest})`, async () => {
      const disks = new Map<string, Uint8Array>();
      const points = await makeRepository(digest, disks, { wide: true });

      const listed = (await decode('list')).stdout.trim().split('\n');
      expect(listed).toHaveLength(disks.size);
      expect(listed[0]).toBe(`${points[0]?.id} vm-6 ${CAPTURED} disk disk-0 ${40 * BLOCK + 1234}`);
      for (const [name, bytes] of disks) {
        const [point, key] = name.split(' ');
        const file = join(directory, 'restored');
        expect(await decode('restore', point ?? '', key ?? '', file)).toMatchObject({ code: 0 });
        expect(sha256(await readFile(file)), name).toBe(sha256(bytes));
        await rm(file);
      }
      expect(await decode('check')).toMatchObject({ code: 0 });
    });
  }

  test('restores a point whose parent is forgotten', async () => {
    const disks = new Map<string, Uint8Array>();
    const [first, second] = await makeRepository('sha256', disks);
    await rm(join(path, 'points', 'vm-6', `${first?.id}.json`));
    const file = join(directory, 'restored');
    expect(await decode('restore', second?.id ?? '', 'disk-0', file)).toMatchObject({ code: 0 });
    expect(sha256(await readFile(file))).toBe(sha256(disks.get(`${second?.id} disk-0`) ?? new Uint8Array()));
    expect(await decode('restore', first?.id ?? '', 'disk-0', join(directory, 'none'))).toMatchObject({ code: 1 });
  });

  test('names what a flipped byte in a pack damages, and restores all the rest', async () => {
    const disks = new Map<string, Uint8Array>();
    const [first] = await makeRepository('sha256', disks);
    const block = disks.get(`${first?.id} disk-0`)?.subarray(0, BLOCK) ?? new Uint8Array(); // incompressible, so stored as it is
    for (const pack of await objects('packs')) {
      const at = (await readFile(pack)).indexOf(block);
      if (at >= 0) await flip(pack, at + 100);
    }
    const check = await decode('check');
    expect(check).toMatchObject({ code: 1 });
    expect(check.stderr).toMatch(/DAMAGED .* disk-0 from byte 0: chunk [0-9a-f]{64} is damaged in .*: wrong content/);

    const file = join(directory, 'restored');
    expect(await decode('restore', first?.id ?? '', 'disk-0', file)).toMatchObject({ code: 1 });
    const expected = disks.get(`${first?.id} disk-0`)?.slice() ?? new Uint8Array();
    expected.fill(0, 0, BLOCK);
    expect(sha256(await readFile(file))).toBe(sha256(expected));
  });

  test.each([
    { what: 'trailer of a pack', folder: 'packs', at: -70 },
    { what: 'page of an index table', folder: 'index', at: 100 },
    { what: 'footer of an index table', folder: 'index', at: -100 },
    { what: 'fence of an index table', folder: 'index', at: -130 },
    { what: 'manifest', folder: 'points', at: -10 },
  ])('notices a flipped byte in the $what', async ({ folder, at }) => {
    await makeRepository('sha256', new Map());
    const [object] = await objects(folder);
    await flip(object ?? '', at);
    const check = await decode('check');
    expect(check).toMatchObject({ code: 1 });
    expect(check.stderr).toContain(`DAMAGED ${object}`);
  });

  test('reads past damage in every index table, because packs alone say what they hold (I7, I9)', async () => {
    const disks = new Map<string, Uint8Array>();
    const [first] = await makeRepository('sha256', disks);
    await rm(join(path, 'index'), { recursive: true });
    const file = join(directory, 'restored');
    expect(await decode('restore', first?.id ?? '', 'disk-0', file)).toMatchObject({ code: 0 });
    expect(sha256(await readFile(file))).toBe(sha256(disks.get(`${first?.id} disk-0`) ?? new Uint8Array()));
  });

  test('never writes over a file, and refuses what it does not know', async () => {
    const [first] = await makeRepository('sha256', new Map());
    const file = join(directory, 'precious');
    await writeFile(file, 'precious');
    expect(await decode('restore', first?.id ?? '', 'disk-0', file)).toMatchObject({ code: 1 });
    expect(await readFile(file, 'utf8')).toBe('precious');
    expect(await decode('restore', first?.id ?? '', 'disk-9', join(directory, 'new'))).toMatchObject({ code: 1 });
    expect(await decode('erase')).toMatchObject({ code: 1 });
    const config = join(path, 'onevault.json');
    await writeFile(config, (await readFile(config, 'utf8')).replace('"version":1}', '"version":2}'));
    expect((await decode('list')).stderr).toContain('"version":2');
  });
});

describeWith([PYTHON, ZSTD, CRYPTOGRAPHY], 'a decoder of encrypted repositories written from docs/format.md', () => {
  const passphrase: RepositorySecret = { kind: 'passphrase', passphrase: new Secret('vier Wörter für ein Beispiel') };

  test.each(['sha256', 'blake3'] as const)('restores every disk and file of every restore point byte for byte, and checks all of it (%s)', async (digest) => {
    const disks = new Map<string, Uint8Array>();
    await makeRepository(digest, disks, { secret: passphrase });
    const env = { ONEVAULT_PASSPHRASE: 'vier Wörter für ein Beispiel' };
    for (const [name, bytes] of disks) {
      const [point, key] = name.split(' ');
      const file = join(directory, 'restored');
      expect(await decodeWith(env, 'restore', point ?? '', key ?? '', file)).toMatchObject({ code: 0 });
      expect(sha256(await readFile(file)), name).toBe(sha256(bytes));
      await rm(file);
    }
    expect(await decodeWith(env, 'check')).toMatchObject({ code: 0 });
  });

  test('opens with a passphrase file, a key file and a recovery key as it was printed, and with nothing else', async () => {
    const content = seededRandom(3).bytes(48);
    const recovery = newRecoveryKey((length) => seededRandom(4).bytes(length));
    await makeRepository('sha256', new Map(), { secret: passphrase, moreSecrets: [keyFileSecret(content), { kind: 'recovery', text: recovery }] });
    const file = async (name: string, body: string | Uint8Array): Promise<string> => {
      await writeFile(join(directory, name), body);
      return join(directory, name);
    };
    const right = [
      { ONEVAULT_PASSPHRASE_FILE: await file('passphrase', 'vier Wörter für ein Beispiel\n') },
      { ONEVAULT_KEY_FILE: await file('key', content) },
      { ONEVAULT_PASSPHRASE_FILE: await file('paper', `${recovery.reveal().toLowerCase()}\n`) },
    ];
    for (const env of right) expect(await decodeWith(env, 'list')).toMatchObject({ code: 0 });
    const wrong = [{}, { ONEVAULT_PASSPHRASE: 'vier Woerter' }, { ONEVAULT_KEY_FILE: await file('other', seededRandom(5).bytes(48)) }];
    for (const env of wrong) expect(await decodeWith(env, 'list')).toMatchObject({ code: 1 });
  });

  test.each([
    { what: 'chunk', folder: 'packs', at: 300 },
    { what: 'trailer of a pack', folder: 'packs', at: -70 },
    { what: 'page of an index table', folder: 'index', at: 100 },
    { what: 'manifest', folder: 'points', at: -10 },
  ])('notices a flipped byte in the $what', async ({ folder, at }) => {
    await makeRepository('sha256', new Map(), { secret: passphrase });
    const [object] = await objects(folder);
    await flip(object ?? '', at);
    const check = await decodeWith({ ONEVAULT_PASSPHRASE: 'vier Wörter für ein Beispiel' }, 'check');
    expect(check).toMatchObject({ code: 1 });
    expect(check.stderr).toContain('DAMAGED');
    expect(check.stderr).toContain(object);
  });
});

interface MakeOptions {
  readonly wide?: boolean;
  /** Encrypts it. */
  readonly secret?: RepositorySecret;
  readonly moreSecrets?: readonly RepositorySecret[];
}

const QUICK = { logN: 14, r: 1, p: 1 };

/** Two restore points with disks of every kind; fills `disks` with what each must restore to, in the order of the listing. */
async function makeRepository(digest: 'blake3' | 'sha256', disks: Map<string, Uint8Array>, options: MakeOptions = {}): Promise<RestorePoint[]> {
  const clock = new FakeClock();
  await using repository = await createRepository(
    fileStore(path),
    { digest, blockSizeBytes: BLOCK, ...(options.secret && { encryption: { secret: options.secret, scrypt: QUICK } }) },
    { clock },
  );
  for (const secret of options.moreSecrets ?? []) await repository.keys?.add(secret, { scrypt: QUICK });
  const mixed = mixedDisk();
  const write = (contents: Readonly<Record<string, Uint8Array>>, parent?: RestorePoint): Promise<RestorePoint> =>
    backup(repository, contents, disks, parent, options.wide);
  const first = await write({ 'disk-0': mixed, zeros: new Uint8Array(3 * BLOCK), tiny: Uint8Array.of(1, 2, 3), empty: new Uint8Array(0) });
  clock.advance(1_000); // ids begin with the time, and the listing is in their order
  const changed = new Uint8Array(50 * BLOCK + 7); // grown
  changed.set(mixed);
  changed.fill(9, 15 * BLOCK, 15 * BLOCK + 100);
  changed.fill(0, 3 * BLOCK, 4 * BLOCK);
  changed.set(Uint8Array.of(0xff), 50 * BLOCK + 6);
  return [first, await write({ 'disk-0': changed, tiny: Uint8Array.of(1, 2, 3) }, first)];
}

/** Incompressible, alike, compressible and zero blocks, and a last block that is short. */
function mixedDisk(): Uint8Array {
  const random = seededRandom(1);
  const disk = new Uint8Array(40 * BLOCK + 1234);
  disk.set(random.bytes(6 * BLOCK));
  disk.fill(7, 12 * BLOCK, 20 * BLOCK);
  for (let at = 20 * BLOCK; at < 30 * BLOCK; at += 16) disk[at] = at & 0xff;
  disk.set(random.bytes(1234), 40 * BLOCK);
  return disk;
}

async function backup(
  repository: Repository,
  contents: Readonly<Record<string, Uint8Array>>,
  disks: Map<string, Uint8Array>,
  parent?: RestorePoint,
  withWide = false,
): Promise<RestorePoint> {
  const { digest, config } = repository;
  const { blockSizeBytes } = config;
  await using writer = await repository.begin({
    group: 'vm-6',
    runId: 'run',
    capturedAt: CAPTURED,
    mode: parent ? 'incremental' : 'full',
    ...(parent ? { parentId: parent.id } : {}),
  });
  for (const [key, bytes] of Object.entries(contents)) {
    const before: DiskReader | undefined = parent && (await repository.openDisk(parent, key));
    const runs = scanBytes(bytes, { blockSizeBytes, digest, parent: before });
    await writer.writeDisk({ key, sizeBytes: bytes.length, ...(before ? { parent: before } : {}) }, runs);
    disks.set(`${writer.id} ${key}`, bytes);
  }
  if (withWide) {
    const wide = wideDisk(contents['disk-0']?.subarray(0, BLOCK) ?? new Uint8Array(BLOCK), digest);
    await writer.writeDisk({ key: 'wide', sizeBytes: wide.bytes.length }, wide.runs());
    disks.set(`${writer.id} wide`, wide.bytes);
  }
  await writer.writeMetadata('one/vm.xml', VM_XML);
  await writer.writeMetadata('one/none', new Uint8Array(0));
  disks.set(`${writer.id} one/vm.xml`, VM_XML).set(`${writer.id} one/none`, new Uint8Array(0));
  return await writer.commit({ annotations: { name: 'wëb "1"\n' } });
}

/** Three pages of digests (128 MiB and a little), the middle one all zero: one block of data at the start and a short one at the end. */
function wideDisk(block: Uint8Array, digest: DigestSpec): { readonly bytes: Uint8Array; runs(): AsyncGenerator<WritableRun> } {
  const bytes = new Uint8Array(2048 * BLOCK + 512);
  bytes.set(block);
  bytes.fill(5, 2048 * BLOCK);
  return {
    bytes,
    async *runs() {
      yield* scanBytes(bytes.subarray(0, BLOCK), { blockSizeBytes: BLOCK, digest });
      yield { kind: 'zero', index: 1, count: 2047 };
      for await (const run of scanBytes(bytes.subarray(2048 * BLOCK), { blockSizeBytes: BLOCK, digest })) yield { ...run, index: 2048 };
    },
  };
}

interface Decoded {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function decode(command: string, ...args: readonly string[]): Promise<Decoded> {
  return decodeWith({}, command, ...args);
}

function decodeWith(env: Readonly<Record<string, string>>, command: string, ...args: readonly string[]): Promise<Decoded> {
  return new Promise((resolve) => {
    const child = execFile(
      'python3',
      [DECODER, path, command, ...args],
      { env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...env } },
      (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout, stderr });
      },
    );
  });
}

/** The paths of a folder's objects, sorted. */
async function objects(folder: string): Promise<string[]> {
  const entries = await readdir(join(path, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Negative: from the end. */
async function flip(file: string, at: number): Promise<void> {
  const bytes = await readFile(file);
  const index = at < 0 ? bytes.length + at : at;
  bytes.writeUInt8(bytes.readUInt8(index) ^ 1, index);
  await writeFile(file, bytes);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
