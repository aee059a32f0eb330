import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkedTar, isGuestFilesError, type TarReport } from '../src/index.ts';
import { readTar } from '../src/tar/tar-reader.ts';
import { type ArchiveEntry, tarArchive } from '../testing/index.ts';

const NO_LIMITS = { maxEntries: 1000, maxBytes: 2 ** 40 };

async function* inPieces(bytes: Buffer, size = 777): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function entriesOf(bytes: Buffer): Promise<{ path: string; type: string; body: string; link: string; modified: number }[]> {
  const found = [];
  for await (const { header, body } of readTar(inPieces(bytes))) {
    const parts: Buffer[] = [];
    for await (const part of body()) parts.push(part);
    found.push({
      path: header.path.toString('latin1'),
      type: header.type,
      body: Buffer.concat(parts).toString('latin1'),
      link: header.linkTarget.toString('latin1'),
      modified: header.modified,
    });
  }
  return found;
}

async function checked(entries: readonly ArchiveEntry[], limits = NO_LIMITS): Promise<{ readonly bytes: Buffer; readonly report: TarReport }> {
  const stream = checkedTar(inPieces(tarArchive(entries)), limits);
  const parts: Buffer[] = [];
  for (;;) {
    const next = await stream.next();
    if (next.done === true) return { bytes: Buffer.concat(parts), report: next.value };
    parts.push(next.value);
  }
}

const invalid = expect.toSatisfy((error) => isGuestFilesError(error, 'FILES_TAR_INVALID'));

function pax(records: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    const length = [1, 2, 3].map((digits) => digits + rest.length).find((total, at) => String(total).length === at + 1);
    return `${length}${rest}`;
  });
  return Buffer.from(lines.join(''), 'latin1');
}

describe('reading', () => {
  it('long names of GNU tar and records of pax are of the entry behind them, and of no other', async () => {
    const long = 'long/'.repeat(60);
    const archive = tarArchive([
      { path: '././@LongLink', type: 'L', body: `${long}\0` },
      { path: 'cut', body: 'one' },
      { path: 'x', type: 'x', body: pax({ path: 'n\xff\nm', mtime: '5.25' }) },
      { path: 'y', body: 'two', modified: 1 },
      { path: 'z', modified: 2 },
    ]);
    expect(await entriesOf(archive)).toEqual([
      { path: long, type: 'file', body: 'one', link: '', modified: 0 },
      { path: 'n\xff\nm', type: 'file', body: 'two', link: '', modified: 5.25 },
      { path: 'z', type: 'file', body: '', link: '', modified: 2 },
    ]);
  });

  it('a body that is not read is skipped', async () => {
    const seen: string[] = [];
    for await (const { header } of readTar(inPieces(tarArchive([{ path: 'a', body: 'x'.repeat(5000) }, { path: 'b' }])))) seen.push(header.path.toString());
    expect(seen).toEqual(['a', 'b']);
  });

  it.each([
    ['no end mark', tarArchive([{ path: 'a', body: 'x' }], { end: false })],
    ['less body than it says', tarArchive([{ path: 'a', body: 'x', size: 100_000 }])],
    ['a checksum that does not hold', Buffer.concat([Buffer.from('X'), tarArchive([{ path: 'a' }]).subarray(1)])],
    ['an extended header without its entry', tarArchive([{ path: 'x', type: 'x', body: pax({ path: 'a' }) }])],
    ['an extended header of 2 GiB', tarArchive([{ path: 'x', type: 'x', size: 2 ** 31 }])],
    ['records that overrun their header', tarArchive([{ path: 'x', type: 'x', body: '999 path=a\n' }, { path: 'a' }])],
    ['a negative size', tarArchive([{ path: 'x', type: 'x', body: pax({ size: '-5' }) }, { path: 'a' }])],
  ])('%s is an error', async (_title, archive) => {
    await expect(entriesOf(archive)).rejects.toThrow(invalid);
  });

  it('bytes that were changed anywhere give entries or that error, never anything else', async () => {
    const archive = tarArchive([
      { path: 'a/b', body: 'x'.repeat(600) },
      { path: 'x', type: 'x', body: pax({ path: 'long', size: '3' }) },
      { path: 'c', body: 'abc' },
    ]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), { maxLength: 4 }), async (changes) => {
        const bytes = Buffer.from(archive);
        for (const [at, value] of changes) bytes[at] = value;
        await entriesOf(bytes).catch((error: unknown) => {
          if (!isGuestFilesError(error, 'FILES_TAR_INVALID')) throw error;
        });
      }),
    );
  });
});

describe('passing on', () => {
  it('an honest archive comes through as it was', async () => {
    const entries = [
      { path: './', type: '5' },
      { path: './a', body: 'x'.repeat(1000) },
      { path: './b', type: '1', link: './a' },
      { path: './c', type: '2', link: '/etc' },
      { path: './null', type: '3' },
    ];
    const { bytes, report } = await checked(entries);
    expect(bytes.equals(tarArchive(entries))).toBe(true);
    expect(report).toEqual({ entries: 5, bytes: 1000, refused: [], refusedCount: 0 });
  });

  it('entries that lead out of where they are unpacked are left out and named', async () => {
    const bad = [
      { path: '../a', body: 'x' },
      { path: '/etc/cron.d/x', body: 'x' },
      { path: 'a/../../b' },
      { path: 'l', type: '1', link: '../../etc/shadow' },
      { path: 'm', type: '1', link: '/etc/shadow' },
    ];
    const { bytes, report } = await checked([{ path: 'a' }, ...bad, { path: 'b', body: 'good' }]);
    expect(bytes.equals(tarArchive([{ path: 'a' }, { path: 'b', body: 'good' }]))).toBe(true);
    expect(report.refused.map(({ path, why }) => [path.toString(), why])).toEqual(bad.map(({ path }) => [path, 'escapes']));
  });

  it('refusals without end are counted, and the first thousand named', async () => {
    const many = Array.from({ length: 1500 }, () => ({ path: '../x' }));
    const { report } = await checked(many, { ...NO_LIMITS, maxEntries: 5000 });
    expect([report.refusedCount, report.refused.length]).toEqual([1500, 1000]);
  });

  it.each([
    ['entries', { maxEntries: 2, maxBytes: 100 }],
    ['bytes', { maxEntries: 10, maxBytes: 2 }],
  ])('more %s than allowed end it', async (_what, limits) => {
    const entries = ['a', 'b', 'c'].map((path) => ({ path, body: 'x' }));
    await expect(checked(entries, limits)).rejects.toThrow(expect.toSatisfy((error) => isGuestFilesError(error, 'FILES_LIMIT_EXCEEDED')));
  });
});
