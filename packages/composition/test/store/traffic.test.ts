import { describe, expect, test } from 'vitest';
import { resolveTraffic } from '../../src/store/traffic.ts';

const MIB = 1024 * 1024;
const around = (env: Readonly<Record<string, string>> = {}, isRoot = false) => ({ env: { HOME: '/home/ada', ...env }, cwd: '/here', isRoot });

describe('limits', () => {
  test('are bytes a second; flag before environment; none by default', () => {
    const env = { ONEVAULT_LIMIT_UPLOAD: '3MiB', ONEVAULT_LIMIT_DOWNLOAD: '100000' };
    expect(resolveTraffic({ limitUpload: '50MiB/s' }, around(env))).toMatchObject({ uploadBytesPerSecond: 50 * MIB, downloadBytesPerSecond: 100_000 });
    expect(resolveTraffic({}, around())).toMatchObject({ uploadBytesPerSecond: undefined, downloadBytesPerSecond: undefined });
    expect(resolveTraffic({}, around({ ONEVAULT_LIMIT_UPLOAD: '' }))).toMatchObject({ uploadBytesPerSecond: undefined });
  });

  test('that are no rate are refused', () => {
    for (const limitUpload of ['0', 'fast', '-1', '1MiB/h', '']) expect(() => resolveTraffic({ limitUpload }, around())).toThrow(/--limit-upload/);
  });
});

describe('the cache', () => {
  test('lies where caches lie, unless it is named or refused', () => {
    const cacheOf = (...args: Parameters<typeof resolveTraffic>) => resolveTraffic(...args).cache;
    expect(cacheOf({}, around())).toEqual({ path: '/home/ada/.cache/onevault', maxBytes: 2048 * MIB });
    expect(cacheOf({}, around({}, true))?.path).toBe('/var/cache/onevault');
    expect(cacheOf({}, around({ XDG_CACHE_HOME: '/x' }, true))?.path).toBe('/x/onevault');
    expect(cacheOf({}, around({ ONEVAULT_CACHE_DIR: 'c', ONEVAULT_CACHE_SIZE: '64MiB' }))).toEqual({ path: '/here/c', maxBytes: 64 * MIB });
    expect(cacheOf({ cacheDir: '/flag' }, around({ ONEVAULT_CACHE_DIR: 'c' }))?.path).toBe('/flag');
    expect(cacheOf({ cache: false, cacheDir: '/flag' }, around())).toBeUndefined();
    expect(resolveTraffic({}, { env: {}, cwd: '/', isRoot: false }).cache).toBeUndefined();
  });

  test('that is too small to be of use is refused', () => {
    for (const size of ['1MiB', 'much']) expect(() => resolveTraffic({}, around({ ONEVAULT_CACHE_SIZE: size }))).toThrow(/ONEVAULT_CACHE_SIZE/);
  });
});
