import type { StreamEvent } from '@onevault/api';
import { signedOut } from './http.ts';

/** One message of a stream as it came over the wire. */
export interface WireMessage {
  readonly id: string | undefined;
  /** `end` is the last one. */
  readonly name: string | undefined;
  readonly data: string;
}

/** Cuts text into messages as the HTML standard says; what is not ended yet waits for more. */
export class MessageCutter {
  #rest = '';

  push(text: string): WireMessage[] {
    const blocks = (this.#rest + text).replace(/\r\n/g, '\n').split('\n\n');
    this.#rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => {
      const fields = block.split('\n').map((line) => /^(\w+):? ?(.*)$/.exec(line));
      const last = (name: string): string | undefined => fields.findLast((field) => field?.[1] === name)?.[2];
      const data = fields.flatMap((field) => (field?.[1] === 'data' ? [field[2] ?? ''] : []));
      const name = last('event');
      if (data.length === 0 && name === undefined) return [];
      return [{ id: last('id'), name, data: data.join('\n') }];
    });
  }
}

/** How a stream stands: waiting means that it was cut and is tried again. */
export type StreamStanding = 'open' | 'waiting';

export interface StreamListener {
  readonly onEvent: (event: StreamEvent) => void;
  readonly onStanding?: (standing: StreamStanding) => void;
  readonly signal: AbortSignal;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

/**
 * Reads server-sent events until the one named `end` or the signal. A cut stream goes on behind the last event that was read (`Last-Event-ID`), later and later
 * while the server is away. A refusal (no such run, signed out) ends it.
 */
export async function readEvents(url: string, listener: StreamListener): Promise<void> {
  const place = { lastId: undefined as string | undefined, waitMs: FIRST_WAIT_MS };
  while (!listener.signal.aborted) {
    // Cut, or never there: both are tried again.
    const isOver = await readOnce(url, listener, place).catch(() => false);
    if (isOver || listener.signal.aborted) return;
    listener.onStanding?.('waiting');
    await pause(place.waitMs, listener.signal);
    place.waitMs = Math.min(2 * place.waitMs, LONGEST_WAIT_MS);
  }
}

/** One connection. True: there will be no more. */
async function readOnce(url: string, listener: StreamListener, place: { lastId: string | undefined; waitMs: number }): Promise<boolean> {
  const response = await fetch(url, { headers: headersFor(place.lastId), credentials: 'same-origin', signal: listener.signal });
  // Nobody may press anything for hours: the stream is the first to hear that the session is over.
  if (response.status === 401) signedOut();
  if (response.status >= 400 && response.status < 500 && response.status !== 429) return true;
  if (!response.ok || response.body === null) return false;
  listener.onStanding?.('open');
  place.waitMs = FIRST_WAIT_MS;
  for await (const { id, name, data } of messagesOf(response.body)) {
    if (id !== undefined) place.lastId = id;
    if (name === 'end') return true;
    const event = eventIn(data);
    if (event !== undefined) listener.onEvent(event);
  }
  return false;
}

function headersFor(lastId: string | undefined): Record<string, string> {
  return { accept: 'text/event-stream', ...(lastId !== undefined && { 'last-event-id': lastId }) };
}

async function* messagesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<WireMessage, void> {
  const cutter = new MessageCutter();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* cutter.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function eventIn(data: string): StreamEvent | undefined {
  try {
    return JSON.parse(data) as StreamEvent;
  } catch {
    return undefined;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const end = (): void => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener('abort', end, { once: true });
  });
}
