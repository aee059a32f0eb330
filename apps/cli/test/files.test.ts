import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { silentLogger, systemClock } from '@onevault/base';
import { compose } from '@onevault/composition';
import type { EntryFacts, GuestEntry } from '@onevault/guest-files';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandContext } from '../src/command-context.ts';
import { toNewFile, toStdout } from '../src/files/byte-output.ts';
import { entryDocument, entryLine, modeText } from '../src/files/entry-text.ts';
import { checkFlags, pathOf } from '../src/files/files-flags.ts';
import { createOutput } from '../src/render/output.ts';
import { resolveSettings } from '../src/settings.ts';

const FACTS: EntryFacts = { type: 'file', sizeBytes: 12, mode: 0o644, uid: 0, gid: 7, modifiedMs: 0, inode: 5, links: 1, target: undefined };
const entry = (name: string | Uint8Array, facts: Partial<EntryFacts> = {}): GuestEntry => {
  const bytes = Buffer.from(name);
  return { path: Buffer.concat([Buffer.from('/'), bytes]), name: bytes, facts: { ...FACTS, ...facts } };
};

describe('an entry of a listing', () => {
  it.each([
    [{}, '-rw-r--r--'],
    [{ type: 'directory', mode: 0o1777 }, 'drwxrwxrwt'],
    [{ mode: 0o6755 }, '-rwsr-sr-x'],
    [{ mode: 0o4644 }, '-rwSr--r--'],
    [{ type: 'symlink', mode: 0o777 }, 'lrwxrwxrwx'],
  ] as const)('%j is %s', (facts, text) => {
    expect(modeText({ ...FACTS, ...facts })).toBe(text);
  });

  it('shows what a terminal must not see written out, and any time that a guest claims', () => {
    const odd = entry(Buffer.from([0x1b, 0x5b, 0xff]), { type: 'symlink', target: Buffer.from('a\nb'), modifiedMs: 1e300 });
    expect(entryLine(odd, odd.name)).toMatch(/ \?{4}-.* {2}\\x1b\[\\xff -> a\\x0ab$/);
    expect(entryDocument(odd)).toMatchObject({
      path: '/\\x1b[\\xff',
      pathBase64: Buffer.from(odd.path).toString('base64'),
      modified: null,
      target: 'a\\x0ab',
      targetBase64: 'YQpi',
    });
  });

  it('one whose inode cannot be read is listed all the same', () => {
    const unreadable = { ...entry('x'), facts: undefined };
    expect(entryLine(unreadable, unreadable.name)).toMatch(/^\?{10} {2}unreadable inode +x$/);
    expect(entryDocument(unreadable)).toMatchObject({ type: null });
  });
});

describe('bytes for files and pipes', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ov-bytes-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  async function* source(...parts: readonly (string | Error)[]): AsyncGenerator<Uint8Array> {
    for (const part of parts) {
      if (part instanceof Error) throw part;
      yield Buffer.from(part, 'latin1');
    }
  }

  function context(stdoutIsTerminal = false): { readonly stdout: PassThrough; readonly context: CommandContext } {
    const stdout = new PassThrough();
    const around = { env: { HOME: dir }, cwd: dir, isRoot: false, stdoutIsTerminal, stderrIsTerminal: false, stdout };
    const settings = resolveSettings({}, around);
    const output = createOutput({ stdout, stderr: new PassThrough() }, settings.output);
    const { signal } = new AbortController();
    const made = {
      settings,
      around,
      output,
      clock: systemClock,
      logger: silentLogger,
      signal,
      onHangUp: () => ({ [Symbol.dispose]: () => undefined }),
      onLeave: () => ({ [Symbol.dispose]: () => undefined }),
      compose: compose(settings, silentLogger),
    };
    return { stdout, context: made };
  }

  it('a file is new, whole, and gone again when its source fails', async () => {
    await toNewFile(context().context, source('ab', 'c'), 'new');
    expect(await readFile(join(dir, 'new'), 'utf8')).toBe('abc');
    await expect(toNewFile(context().context, source('x'), 'new')).rejects.toMatchObject({ code: 'CLI_OUTPUT_FAILED' });
    expect(await readFile(join(dir, 'new'), 'utf8')).toBe('abc');
    await expect(toNewFile(context().context, source('x', new Error('lost')), 'other')).rejects.toThrow('lost');
    expect(await readdir(dir)).toEqual(['new']);
  });

  it('a pipe gets every byte, a terminal none that it would act on', async () => {
    const piped = context();
    await toStdout(piped.context, source('\u001b[2J\xff', '\n'));
    expect(piped.stdout.read()).toEqual(Buffer.from('\u001b[2J\xff\n', 'latin1'));
    const shown = context(true);
    await toStdout(shown.context, source('\u001b[2J\ta\n'));
    expect(String(shown.stdout.read())).toBe('?[2J\ta\n');
  });

  it('who reads a pipe and leaves is told apart from a defect', async () => {
    const { stdout, context: gone } = context();
    stdout.on('error', () => undefined);
    stdout.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    await expect(toStdout(gone, source('x'))).rejects.toMatchObject({ code: 'CLI_OUTPUT_FAILED' });
  });
});

it('a path is taken as it is typed, or as the listing shows it', () => {
  expect(pathOf('/a\\x0ab', {})).toEqual(Buffer.from('/a\\x0ab'));
  expect(pathOf('/a\\x0ab', { escaped: true })).toEqual(Buffer.from('/a\nb'));
});

it('a file system and an operating system at once are refused', () => {
  expect(() => checkFlags({ fs: '/dev/sda1', root: true })).toThrow(expect.objectContaining({ code: 'CLI_USAGE' }));
});

it('a path that --root has taken is said to be one', () => {
  expect(() => checkFlags({ root: '/etc' })).toThrow(expect.objectContaining({ code: 'CLI_USAGE', hint: expect.stringContaining('behind') }));
  expect(() => checkFlags({ root: '/dev/vg/root' })).not.toThrow();
});
