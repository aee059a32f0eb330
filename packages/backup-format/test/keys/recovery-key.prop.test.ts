import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { looksLikeRecoveryKey, newRecoveryKey, parseRecoveryKey } from '../../src/index.ts';
import { formatRecoveryKey } from '../../src/keys/recovery-key.ts';

const SYMBOLS = [...'0123456789ABCDEFGHJKMNPQRSTVWXYZ'];
const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const group = fc.integer({ min: 0, max: 12 });
const place = fc.integer({ min: 0, max: 4 });

function groupsOf(text: string): string[] {
  return text.split('-');
}

function expectMistyped(text: string, ...groups: readonly number[]): void {
  for (const one of groups)
    expect(() => parseRecoveryKey(text)).toThrow(
      expect.objectContaining({ code: 'REPO_SECRET_INVALID', message: expect.stringMatching(new RegExp(`\\b${one + 1}\\b`)) }),
    );
}

describe('a recovery key', () => {
  it('comes back from paper, whatever the case, the spaces and the letters people take for digits', () =>
    fc.assert(
      fc.property(key, (bytes) => {
        const text = formatRecoveryKey(bytes);
        expect(text).toMatch(/^OVRK(-[0-9A-HJKMNP-TV-Z]{5}){13}$/);
        expect(looksLikeRecoveryKey(` ${text.toLowerCase()}\n`)).toBe(true);
        for (const typed of [
          text,
          text.toLowerCase(),
          text.replace(/-/g, ' '),
          text.replace(/-/g, ''),
          `${text}\n`,
          text.replace(/0/g, 'O').replace(/1/g, 'l'),
        ]) {
          expect(parseRecoveryKey(typed).equals(bytes)).toBe(true);
        }
      }),
    ));

  it('I36: one wrong symbol anywhere is found and its group named', () =>
    fc.assert(
      fc.property(key, group, place, fc.constantFrom(...SYMBOLS), (bytes, at, where, symbol) => {
        const parts = groupsOf(formatRecoveryKey(bytes));
        const part = parts[at + 1] ?? '';
        fc.pre(part[where] !== symbol);
        parts[at + 1] = part.slice(0, where) + symbol + part.slice(where + 1);
        expectMistyped(parts.join('-'), at);
      }),
      { numRuns: 500 },
    ));

  it('I36: two neighbours exchanged are found, also across two groups', () =>
    fc.assert(
      fc.property(key, fc.integer({ min: 0, max: 63 }), (bytes, at) => {
        const symbols = [...formatRecoveryKey(bytes).replace(/-/g, '').slice(4)];
        fc.pre(symbols[at] !== symbols[at + 1]);
        [symbols[at], symbols[at + 1]] = [symbols[at + 1] ?? '', symbols[at] ?? ''];
        expectMistyped(`OVRK-${symbols.join('')}`, Math.floor(at / 5));
      }),
      { numRuns: 500 },
    ));

  it('I36: two groups exchanged are found', () =>
    fc.assert(
      fc.property(key, group, group, (bytes, a, b) => {
        const parts = groupsOf(formatRecoveryKey(bytes));
        fc.pre(a !== b && parts[a + 1] !== parts[b + 1]);
        [parts[a + 1], parts[b + 1]] = [parts[b + 1] ?? '', parts[a + 1] ?? ''];
        expectMistyped(parts.join('-'), a, b);
      }),
      { numRuns: 300 },
    ));

  it('is refused when symbols are missing or too many, and with symbols it does not have', () => {
    const text = newRecoveryKey((length) => new Uint8Array(length).fill(0xa7)).reveal();
    for (const wrong of [text.slice(0, -1), `${text}0`, text.replace(/.$/, 'U'), text.slice(5), '', 'OVRK-', 'OVRK']) {
      expect(() => parseRecoveryKey(wrong)).toThrow(expect.objectContaining({ code: 'REPO_SECRET_INVALID' }));
    }
  });

  it('arbitrary text raises nothing but that', () =>
    fc.assert(
      fc.property(fc.string({ maxLength: 120 }), (text) => {
        for (const typed of [text, `OVRK-${text}`]) {
          try {
            parseRecoveryKey(typed);
          } catch (error) {
            expect(error).toMatchObject({ code: 'REPO_SECRET_INVALID' });
          }
        }
      }),
    ));
});
