import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { StreamEvent } from '@onevault/api';
import type { Clock } from '@onevault/base';
import type { z } from 'zod';

export interface EventStreamOptions {
  readonly clock: Clock;
  /** Of one event's data. */
  readonly schema: z.ZodType;
  readonly headers: Readonly<Record<string, string | number | string[] | undefined>>;
  /** Aborted when the client is gone, the session is over or the server ends. */
  readonly signal: AbortSignal;
  /** Called at each heartbeat; the stream ends when it throws. */
  readonly onHeartbeat: () => Promise<void>;
  readonly heartbeatMs: number;
}

/** So long a client may take what was sent before more is read for it. */
const DRAIN_MS = 30_000;

/**
 * Writes events as they come (https://html.spec.whatwg.org/multipage/server-sent-events.html). Of a client that reads slowly no more is read: the source waits,
 * and nothing piles up here. Throws what the source throws before the first event; afterwards it just ends.
 */
export async function sendEvents(source: AsyncIterable<StreamEvent>, response: ServerResponse, options: EventStreamOptions): Promise<void> {
  const { signal, clock } = options;
  const events = source[Symbol.asyncIterator]();
  const over = new AbortController();
  const onAbort = (): void => over.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  let beating: Promise<void> | undefined;
  try {
    let next = events.next();
    // What is refused is refused right away; with that the answer can still be an error.
    await Promise.race([next, clock.sleep(50, { signal })]);
    response.writeHead(200, { ...options.headers, 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    await write(response, 'retry: 3000\n\n', options, over.signal);
    beating = beat(response, options, over);
    const aborted = new Promise<undefined>((resolve) => {
      if (over.signal.aborted) resolve(undefined);
      over.signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    for (;;) {
      const result = await Promise.race([next, aborted]);
      if (result === undefined) break;
      if (result.done === true) {
        await write(response, 'event: end\ndata: {}\n\n', options, over.signal);
        break;
      }
      await write(response, formatEvent(options.schema, result.value), options, over.signal);
      next = events.next();
    }
    next.catch(() => undefined);
  } finally {
    over.abort();
    signal.removeEventListener('abort', onAbort);
    await beating?.catch(() => undefined);
    void Promise.resolve(events.return?.()).catch(() => undefined);
    if (response.headersSent) response.end();
  }
}

/** Keeps proxies from closing the connection, finds clients that are gone, and asks whether this one may still listen. */
async function beat(response: ServerResponse, options: EventStreamOptions, over: AbortController): Promise<void> {
  try {
    while (!over.signal.aborted) {
      await options.clock.sleep(options.heartbeatMs, { signal: over.signal });
      await options.onHeartbeat();
      await write(response, ':\n\n', options, over.signal);
    }
  } catch {
    over.abort();
  }
}

function formatEvent(schema: z.ZodType, event: StreamEvent): string {
  const id = event.id.replaceAll(/[\r\n\0]/g, '');
  return `${id === '' ? '' : `id: ${id}\n`}data: ${JSON.stringify(schema.parse(event))}\n\n`;
}

async function write(response: ServerResponse, text: string, { clock }: EventStreamOptions, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (response.write(text)) return;
  const waiting = new AbortController();
  const onAbort = (): void => waiting.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const isSlow = await Promise.race([
      once(response, 'drain', { signal: waiting.signal }).then(() => false),
      clock.sleep(DRAIN_MS, { signal: waiting.signal }).then(() => true),
    ]);
    if (isSlow) response.destroy();
  } finally {
    signal.removeEventListener('abort', onAbort);
    waiting.abort();
  }
}
