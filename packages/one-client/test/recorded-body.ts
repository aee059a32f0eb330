import { fileURLToPath } from 'node:url';
import { readRecordedExchanges } from '../testing/index.ts';

/** The XML body inside a recorded answer; `name` is the beginning of the recording's name. */
export async function recordedBody(version: '7.0.2' | '7.4.0', name: string): Promise<string> {
  const exchanges = await readRecordedExchanges(fileURLToPath(new URL(`fixtures/oned-${version}`, import.meta.url)));
  const response = exchanges.find((exchange) => exchange.name.startsWith(name))?.response;
  const text = /<string>(.*)<\/string>/s.exec(response ?? '')?.[1];
  if (text === undefined) throw new Error(`no body was recorded as ${name} from ${version}`);
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&apos;', "'").replaceAll('&amp;', '&');
}
