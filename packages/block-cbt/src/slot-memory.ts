import { sharedPageAlignedMemory } from './page-memory.ts';

/** What is kept for the next scan at most. */
const IDLE_LIMIT_BYTES = 256 * 2 ** 20;

/**
 * Memory of scans that have ended, for scans to come. V8 does not count shared memory towards garbage collection: scans that allocate 50 MiB each
 * were seen to pile up 2 GiB in forty runs. Used again, it stays at what was ever needed at the same time.
 */
const idle: SharedArrayBuffer[] = [];

/** The smallest kept memory of at least `bytes`, or new memory. It holds whatever was in it last. */
export function borrowMemory(bytes: number): SharedArrayBuffer {
  const fitting = idle.filter((buffer) => buffer.byteLength >= bytes).sort((a, b) => a.byteLength - b.byteLength)[0];
  if (!fitting) return sharedPageAlignedMemory(bytes);
  idle.splice(idle.indexOf(fitting), 1);
  return fitting;
}

/** Gives memory back; nobody may look into it any more. */
export function returnMemory(buffer: SharedArrayBuffer): void {
  idle.push(buffer);
  let keptBytes = idle.reduce((sum, each) => sum + each.byteLength, 0);
  while (keptBytes > IDLE_LIMIT_BYTES) keptBytes -= idle.shift()?.byteLength ?? keptBytes;
}
