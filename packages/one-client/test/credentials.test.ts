import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Connection, type Environment, findConnection } from '../src/index.ts';

let root = '';
let home = '';
let systemDirectory = '';

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'onevault-credentials-'));
  home = join(root, 'home');
  systemDirectory = join(root, 'system');
  await mkdir(join(home, '.one'), { recursive: true });
  await mkdir(systemDirectory);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const find = (environment: Environment = {}): Promise<Connection> => findConnection({ HOME: home, ...environment }, { systemDirectory });

async function put(path: string, text: string): Promise<string> {
  await writeFile(path, text);
  return path;
}
const inHome = (name: string, text: string): Promise<string> => put(join(home, '.one', name), text);
const inSystem = (name: string, text: string): Promise<string> => put(join(systemDirectory, name), text);

describe('the session', () => {
  test('comes from ONE_AUTH, else the home directory, else the system', async () => {
    const system = await inSystem('one_auth', 'serveradmin:s\n');
    expect((await find()).source.session).toBe(system);
    const own = await inHome('one_auth', 'alice:h\n');
    expect((await find()).source.session).toBe(own);
    const named = await put(join(root, 'named'), 'bob:n\n');
    const found = await find({ ONE_AUTH: named });
    expect(found).toMatchObject({ userName: 'bob', source: { session: named } });
    expect(found.session.reveal()).toBe('bob:n');
  });

  test('an ONE_AUTH that is empty or names no file counts as not set, as it does for the one* commands', async () => {
    const own = await inHome('one_auth', 'alice:h');
    for (const ONE_AUTH of ['', join(root, 'nowhere'), root]) expect((await find({ ONE_AUTH })).source.session).toBe(own);
  });

  test('keeps colons in the password and loses only white space at the end', async () => {
    await inHome('one_auth', ' alice:a:b c \n\n');
    expect((await find()).session.reveal()).toBe(' alice:a:b c');
  });

  test('without HOME the system directory is still looked at', async () => {
    await inSystem('one_auth', 'serveradmin:s');
    expect((await findConnection({}, { systemDirectory })).userName).toBe('serveradmin');
  });

  test('that is nowhere is missing, and the places are named', async () => {
    await expect(find({ ONE_AUTH: '/nonexistent/auth' })).rejects.toMatchObject({
      code: 'ONE_CREDENTIALS_MISSING',
      details: { looked: ['/nonexistent/auth', join(home, '.one', 'one_auth'), join(systemDirectory, 'one_auth')] },
    });
  });

  test.each(['', '\n', 'hunter2', ':hunter2', 'alice:', 'alice:hunter2\nbob:other'])('the content %j is invalid, and not quoted', async (text) => {
    const file = await inHome('one_auth', text);
    const error: unknown = await find().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ONE_CREDENTIALS_INVALID', details: { looked: [file] } });
    expect(inspect(error)).not.toContain('hunter2');
  });

  test('a file that is there and cannot be read is an error, not a reason to use another', async () => {
    await inSystem('one_auth', 'serveradmin:s');
    await symlink('one_auth', join(home, '.one', 'one_auth')); // a loop: unreadable for root too
    await expect(find()).rejects.toMatchObject({ code: 'ONE_CREDENTIALS_INVALID' });
  });

  test('does not show when the connection is printed', async () => {
    await inHome('one_auth', 'alice:hunter2');
    const found = await find();
    expect(inspect(found, { depth: 9 }) + JSON.stringify(found)).not.toContain('hunter2');
  });
});

describe('the endpoint', () => {
  beforeEach(() => inHome('one_auth', 'alice:h'));

  test('comes from ONE_XMLRPC, else the home directory, else the system, else is the default', async () => {
    expect(await find()).toMatchObject({ endpoint: new URL('http://localhost:2633/RPC2'), source: { endpoint: 'default' } });
    const system = await inSystem('one_endpoint', 'http://system:2633/RPC2\n');
    expect(await find()).toMatchObject({ endpoint: new URL('http://system:2633/RPC2'), source: { endpoint: system } });
    const own = await inHome('one_endpoint', 'https://home/RPC2\n');
    expect(await find()).toMatchObject({ endpoint: new URL('https://home/RPC2'), source: { endpoint: own } });
    expect(await find({ ONE_XMLRPC: 'http://named:2633/RPC2' })).toMatchObject({
      endpoint: new URL('http://named:2633/RPC2'),
      source: { endpoint: 'ONE_XMLRPC' },
    });
    expect(await find({ ONE_XMLRPC: '' })).toMatchObject({ source: { endpoint: own } });
  });

  test.each(['localhost:2633', 'ftp://host/RPC2', 'not a url'])('%j is refused', async (ONE_XMLRPC) => {
    await expect(find({ ONE_XMLRPC })).rejects.toMatchObject({ code: 'ONE_ARGUMENT_INVALID', details: { field: 'ONE_XMLRPC' } });
  });
});

describe('the rest', () => {
  beforeEach(() => inHome('one_auth', 'alice:h'));

  test('TLS is verified against Node’s own issuers unless told otherwise', async () => {
    expect((await find()).http).toEqual({ verifyTls: true });
    expect((await find({ ONE_DISABLE_SSL_VERIFY: '1' })).http.verifyTls).toBe(false);
  });

  test('ONE_CERT_DIR adds its certificates to them', async () => {
    const directory = join(root, 'certs');
    await mkdir(directory);
    const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
    await put(join(directory, 'ca.pem'), pem);
    await put(join(directory, 'README'), 'not a certificate');
    const { ca } = (await find({ ONE_CERT_DIR: directory })).http;
    expect(ca?.filter((one) => one === pem).length).toBe(1);
    expect(ca?.length).toBeGreaterThan(50);
    await expect(find({ ONE_CERT_DIR: join(root, 'nowhere') })).rejects.toMatchObject({ code: 'ONE_ARGUMENT_INVALID', details: { field: 'ONE_CERT_DIR' } });
  });

  test('ONE_XMLRPC_TIMEOUT is in seconds, ONE_POOL_PAGE_SIZE at least 2', async () => {
    expect(await find({ ONE_XMLRPC_TIMEOUT: '90', ONE_POOL_PAGE_SIZE: '500' })).toMatchObject({ callTimeoutMs: 90_000, pageSize: 500 });
    expect(await find({ ONE_XMLRPC_TIMEOUT: 'x', ONE_POOL_PAGE_SIZE: '1' })).toMatchObject({ callTimeoutMs: undefined, pageSize: undefined });
  });
});
