import { errorCode } from '@onevault/base';
import { JobError } from '../errors.ts';
import { type Send, wasRefused } from './send.ts';

/**
 * For what may be done twice without harm. `attempt` makes its call through `send` and then looks at the effect; when the answer or the look was lost it
 * is made once more. Throws what was thrown while nothing can have happened, JOB_EFFECT_MISSING as it is, and JOB_OUTCOME_UNKNOWN for everything else.
 */
export async function twiceIfLost<T>(what: string, attempt: (send: Send) => Promise<T>): Promise<T> {
  let mayHaveHappened = false;
  const send: Send = async (call) => {
    const before = mayHaveHappened;
    mayHaveHappened = true;
    try {
      return await call();
    } catch (error) {
      mayHaveHappened = before || !wasRefused(error);
      throw error;
    }
  };
  try {
    return await attempt(send);
  } catch (error) {
    if (!mayHaveHappened || errorCode(error) === 'JOB_EFFECT_MISSING') throw error;
    if (error instanceof JobError) throw outcomeUnknown(what, error);
  }
  try {
    return await attempt(send);
  } catch (error) {
    throw errorCode(error) === 'JOB_EFFECT_MISSING' ? error : outcomeUnknown(what, error);
  }
}

function outcomeUnknown(what: string, cause: unknown): JobError {
  return new JobError({
    code: 'JOB_OUTCOME_UNKNOWN',
    message: `${what} was asked for, and what came of it cannot be seen: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: 'look at the VM (onevault snapshot list) once OpenNebula answers again',
    cause,
  });
}
