import { describe, expect, test } from 'vitest';
import { type Place, parseId, resolveSettings } from '../src/settings.ts';

const around = (env: Place['env'] = {}, rest: Partial<Place> = {}): Place => ({ env: { HOME: '/home/ada', ...env }, cwd: '/here', isRoot: false, ...rest });

describe('precedence', () => {
  test('flag before environment before default', () => {
    const env = { ONEVAULT_REPO: '/env/repo', ONEVAULT_PROXY_ROOT: '/env/proxy', ONEVAULT_PROXY_VM: '3', ONEVAULT_STATE_DIR: '/env/state' };
    expect(resolveSettings({ repo: '/flag', proxyRoot: '/p', proxyVm: '4', stateDir: '/s' }, around(env))).toMatchObject({
      repo: '/flag',
      proxyRoot: '/p',
      proxyVm: 4,
      stateDir: '/s',
    });
    expect(resolveSettings({}, around(env))).toMatchObject({ repo: '/env/repo', proxyRoot: '/env/proxy', proxyVm: 3, stateDir: '/env/state' });
    expect(resolveSettings({}, around())).toMatchObject({ repo: undefined, proxyRoot: '/', proxyVm: undefined, stateDir: '/home/ada/.local/state/onevault' });
  });

  test('an empty variable counts as not set, as with the one* commands', () => {
    expect(resolveSettings({}, around({ ONEVAULT_REPO: '', ONEVAULT_PROXY_ROOT: '', ONEVAULT_PROXY_VM: '' }))).toMatchObject({
      repo: undefined,
      proxyRoot: '/',
      proxyVm: undefined,
    });
  });

  test('the version of OpenNebula decides how disks are plugged, unless flag or environment do', () => {
    expect(resolveSettings({}, around()).identification).toEqual({ bus: undefined, byDifference: false });
    expect(resolveSettings({}, around({ ONEVAULT_BUS: 'sd', ONEVAULT_BY_DIFFERENCE: '1' })).identification).toEqual({ bus: 'sd', byDifference: true });
    expect(resolveSettings({ bus: 'vd', byDifference: true }, around({ ONEVAULT_BUS: 'sd' })).identification).toEqual({ bus: 'vd', byDifference: true });
    expect(() => resolveSettings({ bus: 'hd' }, around())).toThrow(expect.objectContaining({ code: 'CLI_USAGE', hint: expect.any(String) }));
  });

  test('relative paths are taken from where the command was typed', () => {
    expect(resolveSettings({ repo: 'backups', stateDir: '../state' }, around())).toMatchObject({ repo: '/here/backups', stateDir: '/state' });
  });

  test('a repository may be a URL; a file named in it is taken from where the command was typed', () => {
    const url = 's3://bucket/prefix?endpoint=https://s3.example.org&region=eu-1&ca-file=ca.pem';
    const expected = 's3://bucket/prefix?endpoint=https://s3.example.org&region=eu-1&ca-file=/here/ca.pem';
    expect(resolveSettings({ repo: url }, around()).repo).toBe(expected);
    expect(resolveSettings({}, around({ ONEVAULT_REPO: url })).repo).toBe(expected);
    expect(resolveSettings({ repo: 'file:/srv/backup' }, around()).repo).toBe('/srv/backup');
    expect(() => resolveSettings({ repo: 's3://key:secret@bucket' }, around())).toThrow(expect.objectContaining({ code: 'REPO_URL_INVALID' }));
  });

  test('--endpoint stands in for ONE_XMLRPC and nothing else of the environment changes', () => {
    const env = { ONE_XMLRPC: 'http://a:2633/RPC2', ONE_AUTH: '/x' };
    expect(resolveSettings({ endpoint: 'http://b:2633/RPC2' }, around(env)).oneEnvironment).toMatchObject({ ONE_XMLRPC: 'http://b:2633/RPC2', ONE_AUTH: '/x' });
    expect(resolveSettings({}, around(env)).oneEnvironment).toMatchObject(env);
  });
});

describe('the state directory', () => {
  test.each([
    [{ XDG_STATE_HOME: '/xdg' }, false, '/xdg/onevault'],
    [{ XDG_STATE_HOME: '/xdg' }, true, '/xdg/onevault'],
    [{}, true, '/var/lib/onevault'],
    [{}, false, '/home/ada/.local/state/onevault'],
  ])('%j, root %s: %s', (env, isRoot, path) => {
    expect(resolveSettings({}, around(env, { isRoot })).stateDir).toBe(path);
  });

  test('without a home there is no place to guess', () => {
    expect(() => resolveSettings({}, around({ HOME: undefined }))).toThrow(expect.objectContaining({ code: 'CLI_USAGE' }));
  });
});

test.each(['', 'web', '-1', '1.5', '1e3', '12345678901'])('%j is not an id', (text) => {
  expect(() => parseId(text, 'a disk')).toThrow(expect.objectContaining({ code: 'CLI_USAGE' }));
});
