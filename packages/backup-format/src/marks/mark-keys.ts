import { GROUP, HEX_ID, TIME_ID } from '../format/ids.ts';

export const MARKS_PREFIX = 'marks/';
export type MarkKind = 'hold' | 'tag' | 'forgetting';
const KINDS: readonly MarkKind[] = ['hold', 'tag', 'forgetting'];

/** Where a mark lies. `kind` and `id` are missing for a name that this version does not know. */
export interface MarkPlace {
  readonly group: string;
  readonly pointId: string;
  /** The last part of the key. */
  readonly name: string;
  readonly kind?: MarkKind;
  readonly id?: string;
}

export function marksPrefix(group: string, pointId: string): string {
  return `${MARKS_PREFIX}${group}/${pointId}/`;
}

export function markKey(group: string, pointId: string, kind: MarkKind, id: string): string {
  return `${marksPrefix(group, pointId)}${kind}-${id}`;
}

/** Undefined for what does not lie in the place of a mark. */
export function parseMarkKey(key: string): MarkPlace | undefined {
  const [, group = '', pointId = '', name = '', ...rest] = key.split('/');
  if (!key.startsWith(MARKS_PREFIX) || !GROUP.test(group) || !TIME_ID.test(pointId) || name === '' || rest.length > 0) return undefined;
  const place = { group, pointId, name };
  const kind = KINDS.find((candidate) => name.startsWith(`${candidate}-`));
  const id = kind && name.slice(kind.length + 1);
  return kind && id !== undefined && HEX_ID.test(id) ? { ...place, kind, id } : place;
}
