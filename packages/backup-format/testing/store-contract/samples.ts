import { createHash } from 'node:crypto';
import { seededRandom } from '@onevault/base/testing';

export const MIB = 1024 * 1024;

export function bytes(content: string): Uint8Array {
  return Buffer.from(content);
}

export function text(content: Uint8Array): string {
  return Buffer.from(content).toString();
}

export function digest(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Large and nowhere the same, made fast: one seeded block, stamped with its place. */
export function noise(length: number): Uint8Array {
  const block = seededRandom(length).bytes(64 * 1024);
  const body = Buffer.alloc(length);
  for (let at = 0; at < length; at += block.length) {
    body.set(block.subarray(0, Math.min(block.length, length - at)), at);
    if (at + 4 <= length) body.writeUInt32LE(at, at);
  }
  return body;
}
