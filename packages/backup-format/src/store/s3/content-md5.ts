import { createHash } from 'node:crypto';

/** Every server checks it, and Object Lock demands one; nothing here rests on it being hard to forge. */
export function contentMd5(body: Uint8Array): string {
  return createHash('md5').update(body).digest('base64');
}
