import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Secret, serializeError } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ObjectStore, openStore, parseStoreUrl, type RepositoryErrorCode, s3Store } from '../src/index.ts';
import { keysOf, type S3Fake, type S3FakeOptions, startS3Fake } from '../testing/index.ts';
import { storeOn } from './support/s3.ts';

let fake: S3Fake;
let store: ObjectStore;

async function start(options: S3FakeOptions = {}): Promise<void> {
  fake = await startS3Fake(options);
  fake.makeBucket('vault');
  store = storeOn(fake);
}

beforeEach(() => start());
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await fake[Symbol.asyncDispose]();
});

const body = Buffer.from('x');
const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'done',
    (error: unknown) => error,
  );

/** Every call of the store, one after the other. */
async function everyCall(target: ObjectStore): Promise<unknown[]> {
  const calls = [
    () => target.stat('one'),
    () => target.get('one'),
    () => target.get('one', { range: { offset: 0, length: 1 } }),
    () => keysOf(target, ''),
    () => target.put('one', body),
    () => target.put('one', body, { ifAbsent: true }),
    () => target.delete('one'),
  ];
  const outcomes: unknown[] = [];
  for (const call of calls) outcomes.push(await outcome(call()));
  return outcomes;
}

async function expectEverywhere(target: ObjectStore, code: RepositoryErrorCode): Promise<void> {
  for (const [n, error] of (await everyCall(target)).entries()) expect(error, `call ${n}`).toMatchObject({ code, hint: expect.any(String) });
}

describe('what every call says when', () => {
  it('there is no such bucket: never that an object is absent', async () => {
    await expectEverywhere(storeOn(fake, { bucket: 'elsewhere' }), 'REPO_BUCKET_MISSING');
  });

  it('the key is unknown, or the secret is wrong', async () => {
    const credentials = (accessKeyId: string) => async () => ({ accessKeyId, secretAccessKey: new Secret('opensesame') });
    await expectEverywhere(storeOn(fake, { credentials: credentials('NOBODY') }), 'REPO_CREDENTIALS_INVALID');
    const wrong = storeOn(fake, { credentials: credentials(fake.accessKeyId) });
    await expectEverywhere(wrong, 'REPO_CREDENTIALS_INVALID');
    for (const error of await everyCall(wrong)) expect(inspect(error, { depth: 10 }) + JSON.stringify(serializeError(error))).not.toContain('opensesame');
  });

  it('the region is another one, which the message names', async () => {
    const wrong = storeOn(fake, { region: 'eu-7' });
    await expectEverywhere(wrong, 'REPO_REGION_WRONG');
    await expect(wrong.get('one')).rejects.toThrow('us-east-1');
  });

  it('nobody answers there, before long', async () => {
    const { endpoint } = fake;
    await fake[Symbol.asyncDispose]();
    const clock = new FakeClock({ auto: true });
    await expectEverywhere(storeOn(fake, { endpoint }, { clock }), 'REPO_UNREACHABLE');
    await start();
    expect(clock.monotonicMs()).toBeLessThan(7 * 1500);
  });

  it('a right is missing', async () => {
    fake.faults = () => ({ kind: 'refuse', status: 403, code: 'AccessDenied' });
    await expectEverywhere(store, 'REPO_ACCESS_DENIED');
  });

  it.each([
    [403, 'QuotaExceeded', 'REPO_NO_SPACE'],
    [507, 'XMinioStorageFull', 'REPO_NO_SPACE'],
    [403, 'RequestTimeTooSkewed', 'REPO_CLOCK_SKEWED'],
    [409, 'ConditionalRequestConflict', 'REPO_STORE_FAILED'],
    [400, 'SomethingNew', 'REPO_STORE_FAILED'],
  ] as const)('a put is answered with %d %s', async (status, code, expected) => {
    fake.faults = ({ operation }) => (operation === 'PutObject' ? { kind: 'refuse', status, code } : undefined);
    await expect(store.put('one', body)).rejects.toMatchObject({ code: expected, message: expect.stringContaining(code), details: { key: 'one' } });
  });
});

it('a stat without the right to read says so, and not that the object is absent', async () => {
  await store.put('one', body);
  fake.faults = ({ operation }) => (operation === 'HeadObject' ? { kind: 'refuse', status: 403, code: 'AccessDenied' } : undefined);
  await expect(store.stat('one')).rejects.toMatchObject({ code: 'REPO_ACCESS_DENIED' });
});

it('a conflict of two conditional writes is tried again', async () => {
  let conflicts = 2;
  fake.faults = ({ operation, key }) =>
    operation === 'PutObject' && key === 'one' && conflicts-- > 0 ? { kind: 'refuse', status: 409, code: 'ConditionalRequestConflict' } : undefined;
  expect(await store.put('one', body, { ifAbsent: true })).toBe('created');
});

it('a clock that is wrong is made up for when the server says the time', async () => {
  fake.aheadMs = 3 * 3_600_000;
  await store.put('one', body);
  expect(await store.stat('one')).toEqual({ key: 'one', sizeBytes: 1 });
});

describe('over TLS', () => {
  const tls = join(import.meta.dirname, 'fixtures/tls');
  beforeEach(async () => {
    await fake[Symbol.asyncDispose]();
    await start({ tls: { cert: await readFile(join(tls, 'cert.pem'), 'utf8'), key: await readFile(join(tls, 'key.pem'), 'utf8') } });
  });

  it('a certificate of an unknown CA is refused at once; named in ca-file it is trusted, for large bodies too', async () => {
    await expect(store.put('one', body)).rejects.toMatchObject({ code: 'REPO_UNREACHABLE', retryable: false, hint: expect.stringContaining('ca-file') });
    const trusting = storeOn(fake, { caFile: join(tls, 'cert.pem') });
    const large = Buffer.alloc(3 * 1024 * 1024, 'x');
    await trusting.put('one', large);
    expect((await trusting.get('one')).length).toBe(large.length);
    await trusting[Symbol.asyncDispose]();
  });

  it('a CA file that cannot be read is said by name', async () => {
    await expect(storeOn(fake, { caFile: '/nowhere/ca.pem' }).stat('one')).rejects.toMatchObject({
      code: 'REPO_URL_INVALID',
      message: expect.stringContaining('/nowhere/ca.pem'),
    });
  });
});

describe('credentials', () => {
  const at = (env: Record<string, string>, url = `s3://vault?endpoint=${fake.endpoint}`): ObjectStore =>
    openStore(parseStoreUrl(url), { env, clock: new FakeClock({ startMs: Date.now(), auto: true }) });
  const command = (text: string): ObjectStore => at({ ONEVAULT_S3_CREDENTIALS_COMMAND: text });
  const printing = (document: object): string => `printf '%s' '${JSON.stringify(document)}'`;
  const valid = (): object => ({ Version: 1, AccessKeyId: fake.accessKeyId, SecretAccessKey: fake.secretAccessKey });

  it('come from the environment, and so may endpoint and region', async () => {
    const keys = { AWS_ACCESS_KEY_ID: fake.accessKeyId, AWS_SECRET_ACCESS_KEY: fake.secretAccessKey };
    await at(keys).put('one', body);
    await at({ ...keys, AWS_ENDPOINT_URL_S3: fake.endpoint, AWS_REGION: 'us-east-1' }, 's3://vault').put('two', body);
    await expect(at({ ...keys, AWS_REGION: 'eu-9' }).put('three', body)).rejects.toMatchObject({ code: 'REPO_REGION_WRONG' });
    await expect(at({ AWS_ACCESS_KEY_ID: 'x' }).put('one', body)).rejects.toMatchObject({ code: 'REPO_CREDENTIALS_INVALID' });
  });

  it('come from a command, which is asked once and again when they are about to expire', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'onevault-s3-'));
    const asked = join(dir, 'asked');
    const store = command(`echo x >> ${asked}; ${printing({ ...valid(), Expiration: new Date(Date.now() + 3_600_000).toISOString() })}`);
    const expiring = command(`echo y >> ${asked}; ${printing({ ...valid(), Expiration: new Date(Date.now() + 1000).toISOString() })}`);
    try {
      for (const key of ['one', 'two', 'three']) await store.put(key, body);
      expect(await readFile(asked, 'utf8')).toBe('x\n');
      for (const key of ['one', 'two']) await expiring.put(key, body);
      expect((await readFile(asked, 'utf8')).match(/y/g)?.length).toBeGreaterThan(1);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it.each([
    ['fails', 'echo the vault is sealed >&2; exit 3', 'the vault is sealed'],
    ['is not there', 'no-such-command-at-all', '127'],
    ['prints no JSON', 'echo opensesame', 'everything'],
    ['prints too little', `echo '{"AccessKeyId":"AKIA","SecretAccesKey":"opensesame"}'`, 'SecretAccessKey'],
    ['never stops printing', 'yes opensesame', 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER'],
  ])('from a command that %s are an error that says so and shows no secret', async (_, text, said) => {
    const error = await outcome(command(text).put('one', body));
    expect(error).toMatchObject({ code: 'REPO_CREDENTIALS_INVALID', message: expect.stringContaining(said), hint: expect.any(String) });
    expect(inspect(error, { depth: 10 })).not.toContain('opensesame');
  });
});

it('a bucket in the host name is asked for where path-style is off', async () => {
  const virtual = s3Store(
    {
      bucket: 'vault',
      endpoint: fake.endpoint.replace('127.0.0.1', 'localhost.invalid'),
      pathStyle: false,
      credentials: async () => ({ accessKeyId: 'x', secretAccessKey: new Secret('x') }),
    },
    { clock: new FakeClock({ auto: true }) },
  );
  await expect(virtual.get('one')).rejects.toMatchObject({ code: 'REPO_UNREACHABLE', cause: { hostname: 'vault.localhost.invalid' } });
});
