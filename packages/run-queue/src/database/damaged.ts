import { QueueError } from '../errors.ts';

/** The embedded database cannot be trusted: nothing that must survive is in it alone, so that it is made anew instead of mended. */
export function damaged(directory: string, why: string, cause?: unknown): QueueError {
  return new QueueError({
    code: 'QUEUE_DATABASE_DAMAGED',
    message: `the embedded database in ${directory} is damaged: ${why}`,
    details: { directory },
    hint: 'onevault server rebuild sets it aside and makes a new one from the settings, the repositories and the audit log; only the list of runs begins anew',
    cause,
  });
}

/** What fails in the embedded database is damage, unless the machine it is on has no space or gives no right (classes 53 and 57 of src/backend/utils/errcodes.txt, errno). */
export function isDamage(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  return !/^(53|57|E[A-Z]+$)/.test(code);
}
