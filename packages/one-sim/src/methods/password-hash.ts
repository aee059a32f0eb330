import { createHash } from 'node:crypto';

/** As the driver `core` keeps passwords. */
export function hashPassword(password: string): string {
  return createHash('sha256').update(password).digest('hex');
}
