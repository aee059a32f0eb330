import { existsSync, lstatSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ExtractReport, extractTar, isGuestFilesError } from '../src/index.ts';
import { type ArchiveEntry, tarArchive } from '../testing/index.ts';
import { scratchDirectory } from './scratch.ts';

describe('unpacking what nobody vouches for', () => {
  let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
  let target: string;
  beforeEach(async () => {
    scratch = await scratchDirectory();
    target = join(scratch.path, 'target');
  });
  afterEach(() => scratch[Symbol.asyncDispose]());

  async function* source(entries: readonly ArchiveEntry[]): AsyncGenerator<Buffer> {
    yield tarArchive(entries);
  }
  const extract = (entries: readonly ArchiveEntry[], more: { readonly setId?: boolean } = {}): Promise<ExtractReport> =>
    extractTar(source(entries), { maxEntries: 100, maxBytes: 2 ** 30 }, { target, below: [], ownership: false, setId: false, ...more });
  const refusals = (report: ExtractReport): string[][] => report.refused.map(({ path, why }) => [path.toString(), why]);

  it('files, directories and links come with bytes, modes and times; a directory gets its time after what is in it', async () => {
    const report = await extract([
      { path: './', type: '5', mode: 0o755 },
      { path: './d', type: '5', mode: 0o555, modified: 1000 },
      { path: './d/f', body: 'text', mode: 0o640, modified: 2000 },
      { path: './d/hard', type: '1', link: './d/f' },
      { path: './soft', type: '2', link: '/etc/passwd', modified: 3000 },
    ]);
    expect(report).toEqual({ entries: 5, bytes: 4, refused: [], refusedCount: 0 });
    expect(readFileSync(join(target, 'd/hard'), 'utf8')).toBe('text');
    expect(statSync(join(target, 'd/f'))).toMatchObject({ nlink: 2, mode: 0o100640, mtimeMs: 2_000_000 });
    expect(statSync(join(target, 'd'))).toMatchObject({ mode: 0o40555, mtimeMs: 1_000_000 });
    expect(readlinkSync(join(target, 'soft'))).toBe('/etc/passwd');
    expect(lstatSync(join(target, 'soft')).mtimeMs).toBe(3_000_000);
  });

  it('nothing is written outside, whatever an archive says', async () => {
    const outside = join(scratch.path, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'victim'), 'untouched');
    const report = await extract([
      { path: '../outside/a', body: 'x' },
      { path: join(outside, 'b'), body: 'x' },
      { path: 'd/../../outside/c', body: 'x' },
      { path: 'way', type: '2', link: '../outside' },
      { path: 'way/d', body: 'x' },
      { path: 'way/sub', type: '5' },
      { path: 'file', type: '2', link: '../outside/victim' },
      { path: 'file', body: 'overwritten' },
      { path: 'grab', type: '1', link: '../outside/victim' },
      { path: 'grab2', type: '1', link: 'way/victim' },
      { path: 'grab3', type: '1', link: 'file' },
      { path: 'grab4', type: '1', link: join(outside, 'victim') },
      { path: 'good', body: 'good' },
    ]);
    expect(refusals(report)).toEqual([
      ['../outside/a', 'escapes'],
      [join(outside, 'b'), 'escapes'],
      ['d/../../outside/c', 'escapes'],
      ['way/d', 'through-link'],
      ['way/sub', 'through-link'],
      ['file', 'exists'],
      ['grab', 'escapes'],
      ['grab2', 'through-link'],
      ['grab3', 'link-target'],
      ['grab4', 'escapes'],
    ]);
    expect(await readdir(outside)).toEqual(['victim']);
    expect(readFileSync(join(outside, 'victim'), 'utf8')).toBe('untouched');
    expect(statSync(join(outside, 'victim')).nlink).toBe(1);
    expect((await readdir(target)).sort()).toEqual(['file', 'good', 'way']);
  });

  it('links that are in the target already are not followed, and files that are there stay', async () => {
    const outside = join(scratch.path, 'outside');
    await mkdir(outside);
    await mkdir(join(target, 'real'), { recursive: true });
    await symlink(outside, join(target, 'etc'));
    await writeFile(join(target, 'real/kept'), 'kept');
    const report = await extract([
      { path: 'etc', type: '5' },
      { path: 'etc/shadow', body: 'x' },
      { path: 'real', type: '5', mode: 0o777, modified: 1 },
      { path: 'real/kept', body: 'lost' },
      { path: 'real/new', body: 'new' },
    ]);
    expect(refusals(report)).toEqual([
      ['etc', 'through-link'],
      ['etc/shadow', 'through-link'],
      ['real/kept', 'exists'],
    ]);
    expect(await readdir(outside)).toEqual([]);
    expect(readFileSync(join(target, 'real/kept'), 'utf8')).toBe('kept');
    expect(readFileSync(join(target, 'real/new'), 'utf8')).toBe('new');
    expect(statSync(join(target, 'real')).mtimeMs).not.toBe(1000);
  });

  it('devices, FIFOs and what is unknown are refused; a name that comes twice is, too', async () => {
    const report = await extract([
      { path: 'disk', type: '4' },
      { path: 'null', type: '3' },
      { path: 'fifo', type: '6' },
      { path: 'what', type: 'Z' },
      { path: 'a', body: 'first' },
      { path: 'a', body: 'second' },
      { path: 'a/b', body: 'third' },
    ]);
    expect(refusals(report)).toEqual([
      ['disk', 'special'],
      ['null', 'special'],
      ['fifo', 'special'],
      ['what', 'unknown'],
      ['a', 'exists'],
      ['a/b', 'through-link'],
    ]);
    expect(readFileSync(join(target, 'a'), 'utf8')).toBe('first');
    expect(existsSync(join(target, 'disk'))).toBe(false);
  });

  it('set-id bits come only when asked for', async () => {
    await extract([{ path: 'a', mode: 0o6755 }]);
    expect(statSync(join(target, 'a')).mode & 0o7777).toBe(0o755);
    await extract([{ path: 'b', mode: 0o6755 }], { setId: true });
    expect(statSync(join(target, 'b')).mode & 0o7777).toBe(0o6755);
  });

  it('names that this machine cannot have and directories without end are refused, the rest is written', async () => {
    const deep = 'd/'.repeat(45);
    const longName = (path: string): ArchiveEntry => ({ path: 'x', type: 'L', body: `${path}\0` });
    const report = await extract([
      longName('n'.repeat(300)),
      { path: 'cut' },
      longName(`${'d/'.repeat(600)}leaf`),
      { path: 'cut' },
      { path: `${deep}leaf`, body: 'leaf' },
    ]);
    expect(report.refused.map(({ why }) => why)).toEqual(['unwritable', 'too-deep']);
    expect(readFileSync(join(target, deep, 'leaf'), 'utf8')).toBe('leaf');
  });

  it('zeros become holes, and the size is kept where a file ends in them', async () => {
    const body = Buffer.alloc(4 * 2 ** 20);
    body.write('middle', 2 * 2 ** 20);
    await extract([{ path: 'sparse', body }]);
    expect(readFileSync(join(target, 'sparse')).equals(body)).toBe(true);
    expect(statSync(join(target, 'sparse')).blocks * 512).toBeLessThan(2 ** 16);
  });

  it('times that no file can have harm nothing', async () => {
    const report = await extract([
      { path: 'x', type: 'x', body: '27 mtime=99999999999999999\n' },
      { path: 'a', body: 'a' },
    ]);
    expect([report.refusedCount, readFileSync(join(target, 'a'), 'utf8')]).toEqual([0, 'a']);
  });

  it('a target that is no directory is an error', async () => {
    await writeFile(target, '');
    await expect(extract([{ path: 'a' }])).rejects.toThrow(expect.toSatisfy((error) => isGuestFilesError(error, 'FILES_TARGET_FAILED')));
  });
});
