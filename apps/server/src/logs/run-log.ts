import { Readable } from 'node:stream';
import type { StreamEvent } from '@onevault/api';
import type { LogFields, Logger } from '@onevault/base';
import type { JsonObject } from '@onevault/run-queue';
import type { Call, FileAnswer, HandlerTable } from '../ports/call.ts';
import type { RunService } from '../ports/run-service.ts';
import type { Redactor } from './redactor.ts';

/** Of one run; what comes later stands in the server's log alone. */
const MAX_LINES = 2000;

/** What a run's events hold of its log. */
export interface LogEvent {
  readonly type: 'log';
  readonly data: JsonObject;
}

/** A logger whose lines from info up are also events of the run, redacted, so that they can be read wherever the worker was. */
export function runLogger(logger: Logger, redactor: Redactor, emit: (event: LogEvent) => void): Logger {
  let lines = 0;
  const tee = (fields: LogFields, to: Logger): Logger => {
    const keep = (level: 'info' | 'warn' | 'error') => (more: LogFields, message: string) => {
      to[level](more, message);
      lines += 1;
      if (lines > MAX_LINES) return;
      const last = lines === MAX_LINES ? { note: 'the rest stands in the log of the worker' } : {};
      emit({ type: 'log', data: redactor.value({ level, message, ...last, fields: { ...fields, ...more } }) as JsonObject });
    };
    return {
      debug: (more, message) => to.debug(more, message),
      info: keep('info'),
      warn: keep('warn'),
      error: keep('error'),
      child: (more) => tee({ ...fields, ...more }, to.child(more)),
    };
  };
  return tee({}, logger);
}

export interface RunLogDeps {
  readonly runs: Pick<RunService, 'watch'>;
  readonly redactor: Redactor;
}

/** `runLog`: everything that happened in a run, as JSON lines, for a ticket or a grep. */
export function runLogHandlers({ runs, redactor }: RunLogDeps): HandlerTable {
  return {
    runLog: async ({ params, signal }: Call<{ runId: string }>): Promise<FileAnswer> => ({
      contentType: 'application/x-ndjson',
      filename: `run-${params.runId.replace(/[^\w-]/g, '')}.jsonl`,
      body: Readable.from(linesOf(runs.watch(params.runId, { signal }), redactor)),
    }),
  };
}

async function* linesOf(events: AsyncIterable<StreamEvent>, redactor: Redactor): AsyncGenerator<string, void> {
  for await (const event of events) yield `${JSON.stringify(redactor.value(event))}\n`;
}
