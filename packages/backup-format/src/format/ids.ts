/** 16 random bytes as 32 hex characters. */
export const HEX_ID = /^[0-9a-f]{32}$/;
/** `YYYYMMDDThhmmssmmmZ-` and 16 random hex characters: sorts by time as text. */
export const TIME_ID = /^[0-9]{8}T[0-9]{9}Z-[0-9a-f]{16}$/;
export const GROUP = /^[a-z0-9-]{1,64}$/;
export const DIGEST_HEX = /^[0-9a-f]{64}$/;
/** Disk keys and metadata names: parts that cannot climb or hide, joined by slashes. */
export const NAME = /^(?=.{1,128}$)[A-Za-z0-9_][A-Za-z0-9._:-]*(?:\/[A-Za-z0-9_][A-Za-z0-9._:-]*)*$/;
export const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z$/;

export type RandomBytes = (length: number) => Uint8Array;

export function newHexId(randomBytes: RandomBytes): string {
  return Buffer.from(randomBytes(16)).toString('hex');
}

export function newTimeId(now: Date, randomBytes: RandomBytes): string {
  const time = now.toISOString().replace(/[-:.]/g, '');
  return `${time}-${Buffer.from(randomBytes(8)).toString('hex')}`;
}

export const CONFIG_KEY = 'onevault.json';
export const PACKS_PREFIX = 'packs/';
export const TABLES_PREFIX = 'index/';
export const POINTS_PREFIX = 'points/';

export function packKey(packId: string): string {
  return `${PACKS_PREFIX}${packId.slice(0, 2)}/${packId}`;
}

/** The id in the key of a pack, or undefined for what is not a pack (I14). */
export function parsePackKey(key: string): string | undefined {
  const id = key.slice(PACKS_PREFIX.length + 3);
  return HEX_ID.test(id) && key === packKey(id) ? id : undefined;
}

export function tableKey(tableId: string): string {
  return `${TABLES_PREFIX}${tableId}`;
}

export function parseTableKey(key: string): string | undefined {
  const id = key.slice(TABLES_PREFIX.length);
  return TIME_ID.test(id) && key === tableKey(id) ? id : undefined;
}

export function pointKey(group: string, pointId: string): string {
  return `${POINTS_PREFIX}${group}/${pointId}.json`;
}

export function parsePointKey(key: string): { readonly group: string; readonly id: string } | undefined {
  const [, group = '', file = ''] = key.split('/');
  const id = file.replace(/\.json$/, '');
  return GROUP.test(group) && TIME_ID.test(id) && key === pointKey(group, id) ? { group, id } : undefined;
}
