import { errorCode } from '@onevault/base';
import { JobError } from '../errors.ts';

/** What a read gives, or undefined when OpenNebula says that there is no such object (any more). */
export async function unlessGone<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (errorCode(error) === 'ONE_NO_EXISTS') return undefined;
    throw error;
  }
}

/** An object that we made, by its id, and that somebody made theirs by renaming it or by taking our mark away: it is left alone and named. */
export function objectChanged(what: string, details: Readonly<Record<string, number | string>>): JobError {
  return new JobError({
    code: 'JOB_OBJECT_CHANGED',
    message: `${what}; it is left alone`,
    details,
    hint: 'somebody renamed it or took the mark of the run away: remove it by hand if nobody wants it',
  });
}
