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
