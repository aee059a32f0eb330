import { readFile } from 'node:fs/promises';
import { Secret } from '@onevault/base';
import { describe, expect, test } from 'vitest';
import { httpTransport } from '../src/http-transport.ts';
import type { XmlRpcCall } from '../src/transport.ts';
import { answer, scriptedOned, successXml } from './scripted-oned.ts';

const session = new Secret('oneadmin:secret');
const read = (): XmlRpcCall => ({ method: 'one.vm.info', session, args: [6], idempotent: true });
const write: XmlRpcCall = { method: 'one.vm.detach', session, args: [6, 1], idempotent: false };

describe('TLS', () => {
  const file = (name: string): Promise<string> => readFile(new URL(`fixtures/tls/${name}`, import.meta.url), 'utf8');

  test('an unknown issuer is refused unless it is given or verification is off', async () => {
    const [key, cert] = await Promise.all([file('key.pem'), file('cert.pem')]);
    await using oned = await scriptedOned(answer(successXml(1)), { tls: { key, cert } });
    await using strict = httpTransport(oned.endpoint);
    const error: unknown = await strict(write, {}).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ONE_UNREACHABLE', retryable: false, details: { executed: 'no' }, hint: expect.stringContaining('ONE_CERT_DIR') });
    await using trusting = httpTransport(oned.endpoint, { ca: [cert] });
    expect(await trusting(read(), {})).toEqual([true, 1, 0]);
    expect(await trusting(write, {})).toEqual([true, 1, 0]);
    await using careless = httpTransport(oned.endpoint, { verifyTls: false });
    expect(await careless(read(), {})).toEqual([true, 1, 0]);
  });

  test('https towards a port that speaks plain HTTP', async () => {
    await using oned = await scriptedOned(answer(successXml(1)));
    const endpoint = new URL(oned.endpoint);
    endpoint.protocol = 'https:';
    await using transport = httpTransport(endpoint);
    await expect(transport(read(), {})).rejects.toMatchObject({ code: 'ONE_UNREACHABLE', retryable: false });
  });
});
