import { describe, expect, it } from 'vitest';
import { EventLines } from '../../src/client/event-lines.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What comes out when the stream is cut at every place once. */
function everyCut(text: string): string[] {
  const whole = bytes(text);
  return Array.from({ length: whole.length + 1 }, (_, at) => {
    const lines = new EventLines();
    return JSON.stringify([...lines.push(whole.subarray(0, at)), ...lines.push(whole.subarray(at))]);
  });
}

describe('an event stream', () => {
  it('is the same wherever it is cut, with each kind of line end', () => {
    for (const end of ['\n', '\r\n']) {
      const text = [': hello', 'id: 7', 'event: run', 'data: {"a":"ä€𝄞"}', '', 'data:one', 'data: two', '', ''].join(end);
      const expected = JSON.stringify([
        { id: '7', event: 'run', data: '{"a":"ä€𝄞"}' },
        { id: '7', data: 'one\ntwo' },
      ]);
      expect(new Set(everyCut(text))).toEqual(new Set([expected]));
    }
  });

  it('says nothing for a comment, an id alone, or an event that has not ended', () => {
    const lines = new EventLines();
    expect(lines.push(bytes(': keep-alive\n\nid: 3\n\ndata: half'))).toEqual([]);
  });

  it('is refused when an event never ends', () => {
    const lines = new EventLines();
    const chunk = bytes('x'.repeat(1024 * 1024));
    expect(() => {
      for (let n = 0; n < 8; n++) lines.push(chunk);
    }).toThrow(expect.objectContaining({ code: 'API_ANSWER_INVALID' }));
    const many = new EventLines();
    expect(() => {
      for (let n = 0; n < 8; n++) many.push(bytes(`data: ${'x'.repeat(1024 * 1024)}\n`));
    }).toThrow(expect.objectContaining({ code: 'API_ANSWER_INVALID' }));
  });
});
