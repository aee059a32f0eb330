import type { RandomBytes } from '../format/ids.ts';
import { newTimeId } from '../format/ids.ts';

const STAMP = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{3})Z-([0-9a-f]{16})$/;
const SUFFIXES = 1n << 64n;
/** Random bytes of the step from the newest input to the merged table: two merges of the same tables choose different keys. */
const STEP_BYTES = 3;

/**
 * The id of a table of new entries: after `newest`, whatever the clocks say, because what a writer stored again must win over what it found damaged (I8).
 * `newest` is the greatest table id that the writer knows.
 */
export function newTableId(now: Date, newest: string | undefined, randomBytes: RandomBytes): string {
  const id = newTimeId(now, randomBytes);
  if (newest === undefined || id.slice(0, id.length - 17) > newest.slice(0, newest.length - 17)) return id;
  return newTimeId(new Date(parse(newest).ms + 1), randomBytes);
}

/**
 * The id of a merge: right after the newest of the tables that it stands for, so that every table newer than that one still wins over it.
 * Undefined when there is no room behind (a chance of 2^-40).
 */
export function mergedTableId(newest: string, randomBytes: RandomBytes): string | undefined {
  const step = BigInt(Buffer.from(randomBytes(STEP_BYTES)).readUIntBE(0, STEP_BYTES));
  const suffix = parse(newest).suffix + 1n + step;
  return suffix < SUFFIXES ? newest.slice(0, -16) + suffix.toString(16).padStart(16, '0') : undefined;
}

function parse(id: string): { readonly ms: number; readonly suffix: bigint } {
  const [, year, month, day, hour, minute, second, ms, suffix] = STAMP.exec(id) ?? [];
  if (suffix === undefined) throw new TypeError(`"${id}" is not the id of an index table`);
  const date = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second), Number(ms));
  return { ms: date, suffix: BigInt(`0x${suffix}`) };
}
