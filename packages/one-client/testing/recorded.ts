import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One call to a real oned, as it went over the wire. */
export interface RecordedExchange {
  /** `016-attach-1`. */
  readonly name: string;
  readonly method: string;
  /** The arguments as the recorder wrote them (Python literals), without the session: `6, 0, 'ov-test-0'`. */
  readonly args: string;
  readonly status: number;
  readonly request: string;
  readonly response: string;
}

/** Every exchange in a directory of recordings, in the order they were made. */
export async function readRecordedExchanges(directory: string): Promise<readonly RecordedExchange[]> {
  const files = (await readdir(directory)).filter((file) => /^\d+-.*\.txt$/.test(file)).sort();
  const exchanges: RecordedExchange[] = [];
  for (const file of files) exchanges.push(parseRecordedExchange(file.replace(/\.txt$/, ''), await readFile(join(directory, file), 'utf8')));
  return exchanges;
}

/** `### method(args)`, `### HTTP status {headers}`, then the bodies behind `--- request` and `--- response`. */
export function parseRecordedExchange(name: string, text: string): RecordedExchange {
  const head = /^### (one\.[a-z.]+)\((.*?)\)\n### HTTP (\d+) .*?\n--- request\n/s.exec(text);
  const middle = text.indexOf('\n--- response\n');
  if (!head || middle < 0) throw new TypeError(`${name} is not a recorded exchange`);
  const [whole, method = '', args = '', status = ''] = head;
  return {
    name,
    method,
    args,
    status: Number(status),
    request: text.slice(whole.length, middle).trim(),
    response: text.slice(middle + '\n--- response\n'.length).trim(),
  };
}
