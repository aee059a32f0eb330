import { z } from 'zod';
import { compareNames } from '../compare-names.ts';
import { badRequest } from './bad-request.ts';

/** Where a page ended: the key that the list is sorted by, and an id that makes it unique. */
export type Position = readonly [key: string | number, id: number | string];

const schema = z.tuple([z.union([z.string(), z.number()]), z.union([z.string(), z.number()])]);

export function writeCursor(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/** Throws SERVER_REQUEST_INVALID. */
export function readCursor(text: string): Position {
  try {
    return schema.parse(JSON.parse(Buffer.from(text, 'base64url').toString()));
  } catch (cause) {
    throw badRequest('the cursor is none that this server gave', 'Take it from `next` of the page before', cause);
  }
}

export function compare([key, id]: Position, [otherKey, otherId]: Position): number {
  const keys = typeof key === 'string' && typeof otherKey === 'string' ? compareNames(key, otherKey) : Number(key > otherKey) - Number(key < otherKey);
  return keys === 0 ? Number(id > otherId) - Number(id < otherId) : keys;
}
