import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { checkProxyStorage, fixProxyStorage } from '@onevault/proxy-attach';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeWith, requiresCommand } from '../support/requires.ts';

/** What LVM itself makes of the files that we read and write: `LVM_SYSTEM_DIR` is where it looks for lvm.conf and lvmlocal.conf (lvm(8)). */
describeWith([requiresCommand('lvm', 'apt-get install lvm2')], 'the configuration of LVM, as LVM reads it', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'ov-lvm-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const lvmConfig = (...args: readonly string[]): string =>
    execFileSync('lvm', ['lvmconfig', ...args], {
      encoding: 'utf8',
      env: { ...process.env, LVM_SYSTEM_DIR: join(root, 'etc/lvm'), LVM_SUPPRESS_FD_WARNINGS: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();

  async function write(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }

  async function fixed(): Promise<void> {
    await mkdir(join(root, 'sys/block'), { recursive: true });
    await fixProxyStorage(root, await checkProxyStorage(root));
  }

  it('a filter written into a configuration of LVM itself, with all its comments, is the one that counts, and the rest stays as it was', async () => {
    await write('etc/lvm/lvm.conf', '');
    await write('etc/lvm/lvm.conf', lvmConfig('--typeconfig', 'default', '--withcomments'));
    const before = lvmConfig('--typeconfig', 'current');
    await fixed();
    expect(lvmConfig('devices/global_filter')).toBe('global_filter="r|.*|"'); // LVM prints a list of one as that one
    expect(lvmConfig('--validate')).toContain('valid');
    expect(lvmConfig('--typeconfig', 'current').replace(/\n\tglobal_filter=.*/, '')).toBe(before);
    expect(await checkProxyStorage(root)).toContainEqual(expect.objectContaining({ subsystem: 'lvm', severity: 'ok' }));
  });

  it('lvmlocal.conf wins over lvm.conf, as we take it to', async () => {
    await write('etc/lvm/lvm.conf', 'devices {\n\tglobal_filter = [ "r|.*|" ]\n}\n');
    await write('etc/lvm/lvmlocal.conf', 'devices/global_filter = [ "a|.*|" ]\n');
    expect(lvmConfig('devices/global_filter')).toBe('global_filter="a|.*|"');
    await fixed();
    expect(lvmConfig('devices/global_filter')).toBe('global_filter="r|.*|"');
  });

  it('escapes in a pattern mean to LVM what they mean to us', async () => {
    await write('etc/lvm/lvm.conf', 'devices { }\n');
    await write('sys/block/dm-2/dm/name', 'luks-1.f\n');
    await write('sys/block/dm-2/holders/dm-3/dev', '253:3\n');
    await write('sys/block/dm-3/dm/uuid', 'LVM-uvw\n');
    await fixed();
    expect(lvmConfig('devices/global_filter')).toBe('global_filter=["a|^/dev/mapper/luks-1\\\\.f$|","r|.*|"]');
    expect(await checkProxyStorage(root)).toContainEqual(expect.objectContaining({ subsystem: 'lvm', severity: 'ok' }));
  });
});
