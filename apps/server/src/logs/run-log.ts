import { Readable } from 'node:stream';
import type { StreamEvent } from '@onevault/api';
import type { LogFields, Logger } from '@onevault/base';
import type { JsonObject } from '@onevault/run-queue';
import type { Call, FileAnswer, HandlerTable } from '../ports/call.ts';
import type { Redactor } from './redactor.ts';

/** Of one run; what comes later stands in the server's log alone. */
const MAX_LINES = 2000;

/** What a run's events hold of its log. */
export interface LogEvent {
  readonly type: 'log';
  readonly data: JsonObject;
}

export interface RunLogTarget {
  readonly runId: string;
  readonly redactor: Redactor;
  readonly emit: (event: LogEvent) => void;
}

/**
 * A logger whose lines carry the id of the run, and from info up are also events of it, redacted, so that they can be read wherever the worker was. The id that a
 * workflow gives itself (it names the journal) is called `workflow` beside it.
 */
export function runLogger(logger: Logger, { runId, redactor, emit }: RunLogTarget): Logger {
  let lines = 0;
  const tee = (fields: LogFields, to: Logger): Logger => {
    const keep = (level: 'info' | 'warn' | 'error') => (more: LogFields, message: string) => {
      const own = ownFields(more);
      to[level](own, message);
      lines += 1;
      if (lines > MAX_LINES) return;
      const last = lines === MAX_LINES ? { note: 'the rest stands in the log of the worker' } : {};
      emit({ type: 'log', data: redactor.value({ level, message, ...last, fields: { ...fields, ...own } }) as JsonObject });
    };
    return {
      debug: (more, message) => to.debug(ownFields(more), message),
      info: keep('info'),
      warn: keep('warn'),
      error: keep('error'),
      child: (more) => tee({ ...fields, ...ownFields(more) }, to.child(ownFields(more))),
    };
  };
  return tee({}, logger.child({ runId }));
}

function ownFields({ runId, ...fields }: LogFields): LogFields {
  return runId === undefined ? fields : { workflow: runId, ...fields };
}

type OfRun = Call<{ readonly runId: string }>;

export interface RunLogDeps {
  /** As the operation of that name does it, so that rights are looked at in one place. */
  readonly watchRun: (call: OfRun) => AsyncIterable<StreamEvent>;
  readonly redactor: Redactor;
}

/** `runLog`: everything that happened in a run, as JSON lines, for a ticket or a grep. */
export function runLogHandlers({ watchRun, redactor }: RunLogDeps): HandlerTable {
  return {
    runLog: async (call: OfRun): Promise<FileAnswer> => ({
      contentType: 'application/x-ndjson',
      filename: `run-${call.params.runId.replace(/[^\w-]/g, '')}.jsonl`,
      body: Readable.from(linesOf(watchRun(call), redactor)),
    }),
  };
}

async function* linesOf(events: AsyncIterable<StreamEvent>, redactor: Redactor): AsyncGenerator<string, void> {
  for await (const event of events) yield `${JSON.stringify(redactor.value(event))}\n`;
}
