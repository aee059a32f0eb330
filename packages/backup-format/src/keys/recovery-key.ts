import { Secret } from '@onevault/base';
import type { RandomBytes } from '../format/ids.ts';
import { secretInvalid } from './secret.ts';

/** Crockford's base 32: no I, L, O or U, which people take for 1, 1, 0 and V. */
const SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const KEY_BYTES = 32;
const PREFIX = 'OVRK';
const GROUPS = 13;
/** Four symbols of 5 bits and a check symbol: 13 groups hold 260 bits, of which the last 4 are zero. */
const GROUP_DATA = 4;
/** x^5 + x^2 + 1, primitive: powers of 2 reach every element but 0. */
const FIELD = 0b100101;

/** A new recovery key as people keep it: `OVRK-` and 13 groups of 5, each with its own check symbol. */
export function newRecoveryKey(randomBytes: RandomBytes): Secret {
  return new Secret(formatRecoveryKey(randomBytes(KEY_BYTES)));
}

export function formatRecoveryKey(key: Uint8Array): string {
  if (key.length !== KEY_BYTES) throw new RangeError(`a recovery key has ${KEY_BYTES} bytes`);
  const symbols = toSymbols(key);
  const groups = Array.from({ length: GROUPS }, (_, group) => {
    const data = symbols.slice(group * GROUP_DATA, (group + 1) * GROUP_DATA);
    return [...data, checkSymbol(group, data)].map((symbol) => SYMBOLS[symbol]).join('');
  });
  return [PREFIX, ...groups].join('-');
}

/** Whether a text is meant as a recovery key, right or mistyped. */
export function looksLikeRecoveryKey(text: string): boolean {
  return text.trim().toUpperCase().startsWith(`${PREFIX}-`);
}

/**
 * The 32 bytes. One wrong symbol, two symbols exchanged and two groups exchanged are always found, and the group is named; anything worse goes unseen with a
 * chance of 1 in 32 for each wrong group. Throws REPO_SECRET_INVALID.
 */
export function parseRecoveryKey(text: string): Buffer {
  const plain = text.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1');
  const prefix = PREFIX.replace('O', '0');
  if (!plain.startsWith(prefix)) throw secretInvalid(`a recovery key begins with ${PREFIX}-`);
  const symbols = [...plain.slice(prefix.length)].map((symbol) => SYMBOLS.indexOf(symbol));
  const expected = GROUPS * (GROUP_DATA + 1);
  if (symbols.length !== expected) throw secretInvalid(`a recovery key has ${expected} symbols after ${PREFIX}, and this one has ${symbols.length}`);
  const wrong = Array.from({ length: GROUPS }, (_, group) => group).filter((group) => !isGroupRight(group, symbols));
  if (wrong.length > 0)
    throw secretInvalid(`the recovery key is mistyped in group ${wrong.map((group) => group + 1).join(', ')} of ${GROUPS}`, 'compare it with the printed one');
  const key = toBytes(symbols.filter((_, i) => i % (GROUP_DATA + 1) !== GROUP_DATA));
  if (!key) throw secretInvalid(`the recovery key is mistyped in group ${GROUPS} of ${GROUPS}`, 'compare it with the printed one');
  return key;
}

function isGroupRight(group: number, symbols: readonly number[]): boolean {
  const start = group * (GROUP_DATA + 1);
  const data = symbols.slice(start, start + GROUP_DATA);
  return data.every((symbol) => symbol >= 0) && symbols[start + GROUP_DATA] === checkSymbol(group, data);
}

/** Every symbol and the number of the group count with a weight of their own, so that no two places can be exchanged. */
function checkSymbol(group: number, data: readonly number[]): number {
  let sum = group;
  for (const symbol of data) sum = timesTwo(sum) ^ symbol;
  return timesTwo(sum);
}

function timesTwo(value: number): number {
  const shifted = value << 1;
  return shifted & 0b100000 ? shifted ^ FIELD : shifted;
}

function toSymbols(bytes: Uint8Array): number[] {
  const symbols: number[] = [];
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      symbols.push((held >> bits) & 31);
      held &= (1 << bits) - 1;
    }
  }
  symbols.push((held << (5 - bits)) & 31);
  return symbols;
}

/** Undefined when the bits behind the key are not zero. */
function toBytes(symbols: readonly number[]): Buffer | undefined {
  const bytes: number[] = [];
  let held = 0;
  let bits = 0;
  for (const symbol of symbols) {
    held = (held << 5) | symbol;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push(held >> bits);
    held &= (1 << bits) - 1;
  }
  return held === 0 && bytes.length === KEY_BYTES ? Buffer.from(bytes) : undefined;
}
