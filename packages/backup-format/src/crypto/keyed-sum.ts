import { createHmac } from 'node:crypto';
import type { StructureSum } from '../format/structure-sum.ts';

/** HMAC-SHA-256 over the key of the object, a zero byte and the parts. */
export function keyedSum(key: Uint8Array): StructureSum {
  return {
    encrypted: true,
    of: (objectKey, ...parts) => {
      const sum = createHmac('sha256', key).update(`${objectKey}\0`);
      for (const part of parts) sum.update(part);
      return sum.digest();
    },
  };
}
