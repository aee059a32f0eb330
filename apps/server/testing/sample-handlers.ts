import { OPERATIONS, type Operation } from '@onevault/api';
import type { z } from 'zod';
import type { Call, FileAnswer, HandlerTable } from '../src/ports/call.ts';
import { sampleOf } from './sample-of.ts';

/** Handlers of every operation that answer something of the right shape, and tell what they were called with. */
export function sampleHandlers(seen: (operation: Operation, call: Call) => void = () => undefined): HandlerTable {
  return Object.fromEntries(
    OPERATIONS.map((operation) => [
      operation.id,
      (call: Call) => {
        seen(operation, call);
        const { answer } = operation;
        if ('events' in answer) return events(answer.events);
        if ('file' in answer) return Promise.resolve({ contentType: 'text/plain', body: 'a file' } satisfies FileAnswer);
        return Promise.resolve('body' in answer ? sampleOf(answer.body) : undefined);
      },
    ]),
  );
}

async function* events(schema: z.ZodType): AsyncGenerator<never> {
  yield sampleOf(schema) as never;
}
