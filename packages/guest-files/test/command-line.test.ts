import fc from 'fast-check';
import { expect, it } from 'vitest';
import { commandLine, fitsInList, guestPath, listArgument, listChunks } from '../src/fish/command-line.ts';
import { isGuestFilesError } from '../src/index.ts';

const NAME = fc.uint8Array({ minLength: 1, maxLength: 60 }).filter((bytes) => !bytes.includes(0));

/** What guestfish makes of a line: the rules of its manual for double quotes. */
function parsed(line: Buffer): Buffer[] {
  const text = line.toString('latin1');
  expect(text).not.toContain('\n');
  const words = [...text.matchAll(/"((?:[^"\\]|\\.)*)"(?= |$)/gs)].map(([, word = '']) =>
    word.replace(/\\(.)/gs, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped)),
  );
  return words.map((word) => Buffer.from(word, 'latin1'));
}

it('every argument reaches guestfish byte by byte, on one line', () => {
  fc.assert(
    fc.property(fc.array(NAME, { maxLength: 5 }), (names) => {
      expect(parsed(commandLine('ls0', names))).toEqual(names.map((name) => Buffer.from(name)));
    }),
  );
});

it('a line that guestfish would cut in two, with a shell behind the cut, is never sent', () => {
  const name = Buffer.from(`/${'a'.repeat(8187)}!touch /tmp/pwned`);
  expect(() => commandLine('ls0', [name])).toThrow(expect.toSatisfy((error) => isGuestFilesError(error, 'FILES_PATH_INVALID')));
  expect(commandLine('ls0', [name.subarray(0, 4096)]).length).toBeLessThan(8192);
});

it('names go into lists only where the parser of lists has nothing to do with them, as many as fit a line', () => {
  fc.assert(
    fc.property(fc.array(NAME, { minLength: 1, maxLength: 400 }), (names) => {
      const fitting = names.map((name) => Buffer.from(name)).filter(fitsInList);
      const chunks = [...listChunks(fitting, 4500)];
      expect(chunks.flat()).toEqual(fitting);
      for (const chunk of chunks) {
        const [list] = parsed(commandLine('lstatnslist', [listArgument(chunk)]));
        expect(list?.toString('latin1')).toBe(chunk.map((name) => `'${name.toString('latin1')}'`).join(' '));
      }
    }),
  );
});

it('a path of the guest is never taken for a device of the appliance', () => {
  expect(guestPath(Buffer.from('/dev/sda')).toString()).toBe('/./dev/sda');
  expect(guestPath(Buffer.from('dev//./x')).toString()).toBe('/./dev/x');
});

it.each(['/..', 'a/../b', 'a/\0'])('%j is no path', (path) => {
  expect(() => guestPath(Buffer.from(path))).toThrow(expect.toSatisfy((error) => isGuestFilesError(error, 'FILES_PATH_INVALID')));
});
