import type { LogFields, Logger } from '@onevault/base';
import { type Logger as Pino, pino } from 'pino';
import type { Redactor } from './redactor.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LogSink {
  write(line: string): unknown;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly redactor: Redactor;
  /** journald: each line begins with its priority, as sd-daemon(3) has it, so that `journalctl -p warning` finds it. */
  readonly format: 'json' | 'journald';
  readonly sink: LogSink;
}

/** sd-daemon(3): error, warning, informational, debug. */
const PRIORITIES: Readonly<Record<number, string>> = { 50: '<3>', 40: '<4>', 30: '<6>', 20: '<7>' };

/**
 * One JSON object a line: `time`, `level`, `msg`, and the fields of the call and of the loggers it came from, of which `runId` and `requestId` tie lines together.
 * Nothing leaves it unredacted, and nothing that a guest or a client named can begin a line of its own.
 */
export function serverLogger(options: LoggerOptions): Logger {
  const { level, redactor } = options;
  const formatters = { level: (label: string) => ({ level: label }) };
  return loggerOf(pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters }, sinkOf(options)), redactor);
}

/** systemd sets JOURNAL_STREAM for what it connects to the journal. */
export function logFormatOf(env: NodeJS.ProcessEnv): LoggerOptions['format'] {
  return env['JOURNAL_STREAM'] === undefined ? 'json' : 'journald';
}

function sinkOf({ format, sink }: LoggerOptions): { write(line: string): void } {
  if (format === 'json') return { write: (line) => void sink.write(line) };
  // pino writes the level of the line into whatever carries this mark.
  const marked = {
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 30,
    write: (line: string): void => void sink.write(`${PRIORITIES[marked.lastLevel] ?? '<6>'}${line}`),
  };
  return marked;
}

function loggerOf(inner: Pino, redactor: Redactor): Logger {
  const log = (level: LogLevel) => (fields: LogFields, message: string) => {
    if (inner.isLevelEnabled(level)) inner[level](redactor.value(fields) as object, redactor.text(message));
  };
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    child: (fields) => loggerOf(inner.child(redactor.value(fields) as object), redactor),
  };
}
