import { type LogFields, type Logger, redact, silentLogger } from '@onevault/base';
import type { Output } from './render/output.ts';

/** Logs of the packages, for -v (info and up) and -v -v (everything), as one line each on stderr; silent otherwise: what matters comes as events. */
export function stderrLogger(output: Output, now: () => Date): Logger {
  if (output.verbosity === 0) return silentLogger;
  const write = (level: string, fields: LogFields, message: string): void => {
    output.stderr.write(redact(`${now().toISOString()} ${level} ${message} ${JSON.stringify(fields)}\n`));
  };
  const loggerOf = (base: LogFields): Logger => ({
    debug: (fields, message) => {
      if (output.verbosity >= 2) write('debug', { ...base, ...fields }, message);
    },
    info: (fields, message) => write('info', { ...base, ...fields }, message),
    warn: (fields, message) => write('warn', { ...base, ...fields }, message),
    error: (fields, message) => write('error', { ...base, ...fields }, message),
    child: (fields) => loggerOf({ ...base, ...fields }),
  });
  return loggerOf({});
}
