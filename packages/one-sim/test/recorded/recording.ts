import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAnswer, type RawAnswer } from '../../testing/index.ts';

export type RecordedVersion = '7.0.2' | '7.4.0';

/** One exchange with a real oned, as it went over the wire (the secret replaced). */
export interface Recording {
  readonly number: string;
  readonly name: string;
  /** The methodCall; its session is `oneadmin:SECRET`. */
  readonly request: string;
  readonly answer: RawAnswer;
}

const MARK = { request: '--- request\n', response: '--- response\n' };

/** Every exchange that was recorded with that version, in the order they were made. */
export function recordingsOf(version: RecordedVersion): Recording[] {
  const dir = join(import.meta.dirname, '../fixtures', version);
  return readdirSync(dir)
    .filter((file) => file.endsWith('.txt'))
    .sort()
    .map((file) => {
      const text = readFileSync(join(dir, file), 'utf8');
      const [request, response] = [text.indexOf(MARK.request), text.indexOf(MARK.response)];
      return {
        number: file.slice(0, 3),
        name: file.slice(4, -4),
        request: text.slice(request + MARK.request.length, response).trim(),
        answer: parseAnswer(text.slice(response + MARK.response.length).trim()),
      };
    });
}
