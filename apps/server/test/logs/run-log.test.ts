import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { silentLogger } from '@onevault/base';
import { describe, expect, it } from 'vitest';
import { Redactor } from '../../src/logs/redactor.ts';
import { type LogEvent, runLogger, runLogHandlers } from '../../src/logs/run-log.ts';
import { serverLogger } from '../../src/logs/server-logger.ts';
import { callOf } from '../../testing/call-of.ts';

describe('the log of a run', () => {
  it('has every event and log line in order, without secrets, one line each whatever a name holds', async () => {
    const redactor = new Redactor();
    redactor.know('hunter2-hunter2');
    const kept: LogEvent[] = [];
    const logger = runLogger(silentLogger, { runId: 'r1', redactor, emit: (event) => kept.push(event) }).child({ vmId: 17 });
    logger.debug({}, 'not kept');
    logger.info({ password: 'x-secret-x' }, 'attached\n2020-01-01 forged');
    logger.warn({ detail: 'hunter2-hunter2' }, 'slow');
    const events = [{ type: 'step', data: { step: 'plan' } }, ...kept].map((event, i) => ({ id: String(i), time: '2026-11-01T10:00:01.000Z', ...event }));
    async function* watch() {
      yield* events;
    }
    const handlers = runLogHandlers({ watchRun: watch, redactor });
    const answer = (await handlers['runLog']?.(callOf({ params: { runId: 'r1' } }) as never)) as { body: Readable; filename: string };
    const lines = (await text(answer.body)).trimEnd().split('\n');
    expect(answer.filename).toBe('run-r1.jsonl');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { ...events[0] },
      { ...events[1], data: { level: 'info', message: 'attached\n2020-01-01 forged', fields: { vmId: 17, password: '[redacted]' } } },
      { ...events[2], data: { level: 'warn', message: 'slow', fields: { vmId: 17, detail: '[redacted]' } } },
    ]);
    expect(lines.join('\n')).not.toMatch(/hunter2|x-secret-x/);
  });

  it('carries the id of the run in the server’s own log; what a workflow calls itself stands beside it', () => {
    const lines: object[] = [];
    const sink = (line: string): void => void lines.push(JSON.parse(line));
    const redactor = new Redactor();
    const logger = serverLogger({ level: 'info', redactor, format: 'json', sink: { write: sink } });
    runLogger(logger, { runId: 'r1', redactor, emit: () => undefined }).warn({ runId: 'w-9' }, 'clean-up failed');
    expect(lines).toMatchObject([{ runId: 'r1', workflow: 'w-9', msg: 'clean-up failed' }]);
  });

  it('is bounded: a run that says too much says so once', () => {
    const kept: LogEvent[] = [];
    const logger = runLogger(silentLogger, { runId: 'r1', redactor: new Redactor(), emit: (event) => kept.push(event) });
    for (let i = 0; i < 5000; i++) logger.child({ i }).info({}, 'again');
    expect(kept).toHaveLength(2000);
    expect(kept.at(-1)?.data).toHaveProperty('note');
  });
});
