import { ApiError } from './api-error.ts';

/** One server-sent event as it came over the wire. */
export interface WireEvent {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: string;
}

/** Of one event: whoever sends more is not our server. */
const MAX_EVENT_CHARS = 4 * 1024 * 1024;

/** Takes a text/event-stream apart (HTML standard 9.2.6). Comments, which keep connections alive, are left out. */
export class EventLines {
  readonly #decoder = new TextDecoder();
  #rest = '';
  #id: string | undefined;
  #event: string | undefined;
  #data: string[] = [];
  #chars = 0;

  /** The events that end in these bytes. Throws API_ANSWER_INVALID. */
  push(bytes: Uint8Array): WireEvent[] {
    this.#rest += this.#decoder.decode(bytes, { stream: true });
    const events: WireEvent[] = [];
    // A CR at the very end may be half of a CRLF: it waits for what follows.
    for (let match = LINE_END.exec(this.#rest); match !== null; match = LINE_END.exec(this.#rest)) {
      const line = this.#rest.slice(0, match.index);
      this.#rest = this.#rest.slice(match.index + match[0].length);
      const ended = this.#line(line);
      if (ended !== undefined) events.push(ended);
    }
    if (this.#rest.length + this.#chars > MAX_EVENT_CHARS)
      throw new ApiError({ code: 'API_ANSWER_INVALID', message: `an event of more than ${MAX_EVENT_CHARS} characters` });
    return events;
  }

  #line(line: string): WireEvent | undefined {
    if (line === '') return this.#end();
    const colon = line.indexOf(':');
    if (colon === 0) return undefined;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (name === 'data') {
      this.#data.push(value);
      this.#chars += value.length;
    } else if (name === 'id') this.#id = value;
    else if (name === 'event') this.#event = value;
    return undefined;
  }

  #end(): WireEvent | undefined {
    const event = { id: this.#id, event: this.#event, data: this.#data.join('\n') };
    const isEmpty = this.#data.length === 0;
    this.#event = undefined;
    this.#data = [];
    this.#chars = 0;
    return isEmpty ? undefined : event;
  }
}

const LINE_END = /\r\n|\n|\r(?=[\s\S])/;
