import { fileURLToPath } from 'node:url';
import { Secret } from '@onevault/base';
import { describe, expect, test } from 'vitest';
import { unwrapAnswer } from '../src/answer.ts';
import { splitPool } from '../src/body.ts';
import { isOneError } from '../src/errors.ts';
import { methods } from '../src/methods.ts';
import { parseImage } from '../src/parse-image.ts';
import { parseDatastore, parseHost, parseTemplate } from '../src/parse-infrastructure.ts';
import { parseVm, parseVmSummary } from '../src/parse-vm.ts';
import type { Transport, XmlRpcValue } from '../src/transport.ts';
import { ResponseDecoder } from '../src/wire-codec.ts';
import { type RecordedExchange, readRecordedExchanges } from '../testing/index.ts';

const directory = (version: string): string => fileURLToPath(new URL(`fixtures/oned-${version}`, import.meta.url));
const recordings = {
  '7.0.2': await readRecordedExchanges(directory('7.0.2')),
  '7.4.0': await readRecordedExchanges(directory('7.4.0')),
};

/** What the client makes of a recorded response: the value, or the OneError it throws. */
async function replay({ method, response }: RecordedExchange): Promise<XmlRpcValue> {
  const answered: Transport = async () => {
    const decoder = new ResponseDecoder();
    const decoded = decoder.write(Buffer.from(response)) ?? decoder.end();
    if (decoded.kind !== 'value') throw new Error(`decoded as ${decoded.kind}`);
    return decoded.value;
  };
  return await unwrapAnswer(answered)({ method, session: new Secret('u:p'), args: [], idempotent: true }, {});
}

const PARSERS: Readonly<Record<string, (xml: string) => unknown>> = {
  'one.vm.info': parseVm,
  'one.image.info': parseImage,
  'one.vmpool.info': (xml) => splitPool(xml, 'VM_POOL', 'VM').map(parseVmSummary),
  'one.vmpool.infoextended': (xml) => splitPool(xml, 'VM_POOL', 'VM').map(parseVm),
  'one.imagepool.info': (xml) => splitPool(xml, 'IMAGE_POOL', 'IMAGE').map(parseImage),
  'one.datastorepool.info': (xml) => splitPool(xml, 'DATASTORE_POOL', 'DATASTORE').map(parseDatastore),
  'one.hostpool.info': (xml) => splitPool(xml, 'HOST_POOL', 'HOST').map(parseHost),
  'one.templatepool.info': (xml) => splitPool(xml, 'VMTEMPLATE_POOL', 'VMTEMPLATE').map(parseTemplate),
};

describe.each(Object.entries(recordings))('recorded answers of oned %s', (_version, exchanges) => {
  test.each(exchanges.map((exchange) => [exchange.name, exchange] as const))('%s is understood', async (_name, exchange) => {
    const refusal = /<boolean>0<\/boolean>/.exec(exchange.response);
    if (refusal) {
      const error: unknown = await replay(exchange).catch((thrown: unknown) => thrown);
      expect(isOneError(error) && error.details.oneCode).toBe(Number(/<i4>(\d+)<\/i4>/.exec(exchange.response)?.[1]));
      expect(isOneError(error) && error.details.onedMessage).toContain(`[${exchange.method}]`);
      return;
    }
    const value = await replay(exchange);
    const ours = Object.values(methods).find((method) => method.name === exchange.method);
    if (ours) expect(ours.result.safeParse(value).success).toBe(true);
    const parse = PARSERS[exchange.method];
    if (!parse) return;
    expect(JSON.stringify(parse(String(value)))).not.toBe('[]');
  });
});
