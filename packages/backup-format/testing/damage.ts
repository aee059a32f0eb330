import type { ObjectKey, ObjectStore } from '../src/index.ts';

/** Harm done to single objects, as disks and people do it. */
export async function flipBit(store: ObjectStore, key: ObjectKey, byte: number, bit = 0): Promise<void> {
  const bytes = await store.get(key);
  const at = byte < 0 ? bytes.length + byte : byte;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
  await store.put(key, bytes);
}

export async function truncateObject(store: ObjectStore, key: ObjectKey, length: number): Promise<void> {
  const bytes = await store.get(key);
  await store.put(key, bytes.slice(0, length < 0 ? bytes.length + length : length));
}

export async function swapObjects(store: ObjectStore, a: ObjectKey, b: ObjectKey): Promise<void> {
  const [first, second] = await Promise.all([store.get(a), store.get(b)]);
  await store.put(a, second);
  await store.put(b, first);
}

export async function keysOf(store: ObjectStore, prefix: string): Promise<ObjectKey[]> {
  const keys: ObjectKey[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}
