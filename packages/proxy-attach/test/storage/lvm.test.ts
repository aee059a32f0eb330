import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkProxyStorage, fixProxyStorage, type StorageFinding } from '../../src/index.ts';
import { ON_LVM, type ProxyRoot, proxyRoot } from './proxy-root.ts';

/** The head of a stock file, cut to a few lines. */
const STOCK = `# This is an example configuration file for the LVM2 system.
config {
	checks = 1
	abort_on_errors = 0
	# Configuration option config/profile_dir.
	profile_dir = "/etc/lvm/profile"
}

devices {
	# Configuration option devices/dir.
	dir = "/dev"
	scan = [ "/dev" ]
	# filter = [ "a|.*|" ]
	# use_devicesfile = 0
	sysfs_scan = 1
}
global {
	umask = 077
	units = "r"
}
`;

async function lvm(root: ProxyRoot): Promise<StorageFinding[]> {
  return (await checkProxyStorage(root.path)).filter(({ subsystem }) => subsystem === 'lvm');
}

const withDevices = (lines: string): string => STOCK.replace('sysfs_scan = 1', `sysfs_scan = 1\n\t${lines}`);

describe('checkProxyStorage, LVM', () => {
  it('has nothing to say where LVM is not installed', async () => {
    await using root = await proxyRoot();
    expect(await lvm(root)).toEqual([expect.objectContaining({ severity: 'ok', seen: 'LVM is not installed' })]);
  });

  it('finds that a stock LVM scans every disk, and gives the filter that keeps the own volumes', async () => {
    await using root = await proxyRoot({ ...ON_LVM, '/etc/lvm/lvm.conf': STOCK });
    expect(await lvm(root)).toEqual([
      expect.objectContaining({
        severity: 'danger',
        code: 'LVM_SEES_ATTACHED_DISKS',
        fixable: true,
        seen: expect.stringContaining('/etc/lvm/lvm.conf: neither'),
        fix: expect.stringContaining('global_filter = [ "a|^/dev/vda3$|", "r|.*|" ]'),
      }),
    ]);
  });

  it('finds a program without any configuration', async () => {
    await using root = await proxyRoot({ '/usr/sbin/lvm': '' });
    expect(await lvm(root)).toMatchObject([{ code: 'LVM_SEES_ATTACHED_DISKS', fix: expect.stringContaining('global_filter = [ "r|.*|" ]') }]);
  });

  it.each([
    'global_filter = [ "a|^/dev/vda|", "r|.*|" ]',
    'filter = [ "a|^/dev/vda[0-9]*$|", "r|.*|" ]',
    'global_filter = [ "a/vda3/", "r/.*/" ]',
    'global_filter = "r(/dev/(vd[b-z]|sd[a-z])|disk/by-)"\n\tfilter = [ "a|.*|" ]',
    'filter = [ "a|^/dev/vda3$|" ]\n\tfilter = [ "a|^/dev/vda3$|", "r|.*|" ]',
  ])('is content with %s', async (line) => {
    await using root = await proxyRoot({ ...ON_LVM, '/etc/lvm/lvm.conf': withDevices(line) });
    expect(await lvm(root)).toEqual([expect.objectContaining({ severity: 'ok', seen: expect.stringContaining('/etc/lvm/lvm.conf:') })]);
  });

  it.each([
    ['accepts all', 'global_filter = [ "a|.*|" ]'],
    ['rejects one letter only', 'global_filter = [ "r|^/dev/vdb|" ]'],
    ['rejects virtio disks only', 'global_filter = [ "r|/dev/vd[b-z]|" ]'],
    ['rejects names and forgets links', 'global_filter = [ "a|by-id|", "r|.*|" ]'],
    ['accepts what the first pattern rejects too late', 'global_filter = [ "a|/dev/vd|", "r|/dev/vdb|", "r|.*|" ]'],
    ['stands in a comment', '# global_filter = [ "a|^/dev/vda|", "r|.*|" ]'],
    ['stands in another section', 'dir = "/dev"\n}\nactivation {\n\tglobal_filter = [ "r|.*|" ]'],
  ])('sees through a filter that %s', async (_, line) => {
    await using root = await proxyRoot({ '/etc/lvm/lvm.conf': withDevices(line) });
    expect(await lvm(root)).toContainEqual(expect.objectContaining({ severity: 'danger', code: 'LVM_SEES_ATTACHED_DISKS' }));
  });

  it('lets lvmlocal.conf decide over lvm.conf, and names its line', async () => {
    await using root = await proxyRoot({
      '/etc/lvm/lvm.conf': withDevices('global_filter = [ "r|.*|" ]'),
      '/etc/lvm/lvmlocal.conf': '# local\ndevices/global_filter = [ "a|.*|" ]\n',
    });
    expect(await lvm(root)).toMatchObject([{ code: 'LVM_SEES_ATTACHED_DISKS', seen: expect.stringContaining('/etc/lvm/lvmlocal.conf:2') }]);
  });

  it('finds a filter that would keep the proxy from its own volumes', async () => {
    await using root = await proxyRoot({ ...ON_LVM, '/etc/lvm/lvm.conf': withDevices('global_filter = [ "r|.*|" ]') });
    expect(await lvm(root)).toMatchObject([{ severity: 'danger', code: 'LVM_OWN_DISK_REJECTED', seen: expect.stringContaining('/dev/vda3') }]);
  });

  it('takes an own volume that is accepted by a link for accepted', async () => {
    await using root = await proxyRoot({
      ...ON_LVM,
      '/etc/lvm/lvm.conf': withDevices('global_filter = [ "a|by-path/virtio-pci-0000:00:04.0-part3|", "r|.*|" ]'),
    });
    await root.link('/dev/disk/by-path/virtio-pci-0000:00:04.0-part3', '../../vda3');
    expect(await lvm(root)).toMatchObject([{ severity: 'ok' }]);
  });

  it('is content with a devices file in use, and passes over filters, which LVM then ignores', async () => {
    const entries = '# LVM uses devices listed in this file.\nVERSION=1.1.2\nIDTYPE=devname IDNAME=/dev/vda3 DEVNAME=/dev/vda3 PVID=abc\n';
    await using root = await proxyRoot({
      ...ON_LVM,
      '/etc/lvm/lvm.conf': withDevices('use_devicesfile = 1\n\tglobal_filter = [ "a|.*|" ]'),
      '/etc/lvm/devices/system.devices': entries,
    });
    expect(await lvm(root)).toMatchObject([{ severity: 'ok', seen: expect.stringContaining('system.devices') }]);
    await root.write({ '/etc/lvm/devices/system.devices': `${entries}IDTYPE=devname IDNAME=/dev/sdb DEVNAME=/dev/sdb PVID=def\n` });
    expect(await lvm(root)).toMatchObject([{ code: 'LVM_SEES_ATTACHED_DISKS', fixable: false, fix: 'lvmdevices --deldev /dev/sdb' }]);
  });

  it('does not rely on a devices file that is not there, or not switched on', async () => {
    await using root = await proxyRoot({ '/etc/lvm/lvm.conf': withDevices('use_devicesfile = 1') });
    expect(await lvm(root)).toMatchObject([{ code: 'LVM_SEES_ATTACHED_DISKS' }]);
    await root.write({ '/etc/lvm/lvm.conf': STOCK, '/etc/lvm/devices/system.devices': 'VERSION=1.1.1\n' });
    expect(await lvm(root)).toMatchObject([{ code: 'LVM_SEES_ATTACHED_DISKS' }]);
  });

  it.each(['devices {', 'devices }', 'devices { filter = [ "a" }', 'devices { filter = "open }', '}', 'devices = = 1'])(
    'judges nothing in a file it does not understand: %s',
    async (text) => {
      await using root = await proxyRoot({ '/etc/lvm/lvm.conf': text });
      expect(await lvm(root)).toMatchObject([{ severity: 'danger', code: 'LVM_CONFIG_UNREADABLE', fixable: false }]);
    },
  );

  it('does not take a pattern of another form for a filter', async () => {
    await using root = await proxyRoot({ '/etc/lvm/lvm.conf': withDevices('global_filter = [ "x|.*|" ]') });
    expect(await lvm(root)).toMatchObject([{ code: 'LVM_CONFIG_UNREADABLE' }]);
  });
});

describe('fixProxyStorage, LVM', () => {
  const conf = async (root: ProxyRoot, name = 'lvm.conf'): Promise<string> => await readFile(join(root.path, 'etc/lvm', name), 'utf8');

  async function fix(root: ProxyRoot): ReturnType<typeof fixProxyStorage> {
    return await fixProxyStorage(root.path, await lvm(root));
  }

  it('adds the filter to the section devices and leaves every other line as it is', async () => {
    await using root = await proxyRoot({ ...ON_LVM, '/etc/lvm/lvm.conf': STOCK });
    const { changed, refused, remaining } = await fix(root);
    expect(changed).toEqual([{ path: '/etc/lvm/lvm.conf', backup: '/etc/lvm/lvm.conf.before-onevault' }]);
    expect(refused).toEqual([]);
    expect(remaining.filter(({ subsystem }) => subsystem === 'lvm')).toMatchObject([{ severity: 'ok' }]);
    const text = await conf(root);
    expect(text).toContain('\n\tglobal_filter = [ "a|^/dev/vda3$|", "r|.*|" ]\n');
    expect(text.split('\n').filter((line) => !line.includes('global_filter') && !line.includes('# onevault') && line !== '')).toEqual(
      STOCK.split('\n').filter((line) => line !== ''),
    );
    expect(await conf(root, 'lvm.conf.before-onevault')).toBe(STOCK);
  });

  it('replaces a filter that is there, over several lines and where it stands', async () => {
    await using root = await proxyRoot({
      '/etc/lvm/lvm.conf': STOCK,
      '/etc/lvm/lvmlocal.conf': 'devices {\n\tglobal_filter = [ "a|.*|", # all\n\t\t"r|x|" ]\n}\nlocal { system_id = "" }\n',
    });
    expect((await fix(root)).changed.map(({ path }) => path)).toEqual(['/etc/lvm/lvmlocal.conf']);
    expect(await conf(root, 'lvmlocal.conf')).toBe('devices {\n\tglobal_filter = [ "r|.*|" ]\n}\nlocal { system_id = "" }\n');
    expect(await conf(root)).toBe(STOCK);
  });

  it('makes the section, and the file, where there is none', async () => {
    await using root = await proxyRoot({ '/usr/sbin/lvm': '' });
    expect((await fix(root)).changed).toEqual([{ path: '/etc/lvm/lvm.conf', backup: undefined }]);
    expect(await lvm(root)).toMatchObject([{ severity: 'ok' }]);
  });

  it('keeps volumes on software RAID and encrypted disks', async () => {
    await using root = await proxyRoot({
      '/etc/lvm/lvm.conf': STOCK,
      '/sys/block/md0/holders/dm-1/dev': '253:1\n',
      '/sys/block/dm-1/dm/uuid': 'LVM-xyz\n',
      '/sys/block/dm-2/dm/uuid': 'CRYPT-LUKS2-1\n',
      '/sys/block/dm-2/dm/name': 'luks-1.f\n',
      '/sys/block/dm-2/holders/dm-3/dev': '253:3\n',
      '/sys/block/dm-3/dm/uuid': 'LVM-uvw\n',
    });
    await fix(root);
    expect(await conf(root)).toContain('global_filter = [ "a|^/dev/mapper/luks-1\\\\.f$|", "a|^/dev/md0$|", "r|.*|" ]');
    expect(await lvm(root)).toMatchObject([{ severity: 'ok' }]);
  });

  it('switches a devices file off that is not listed in the configuration, so that the filter counts', async () => {
    await using root = await proxyRoot({ '/etc/lvm/lvm.conf': STOCK, '/etc/lvm/devices/system.devices': 'VERSION=1.1.1\n' });
    await fix(root);
    expect(await conf(root)).toContain('use_devicesfile = 0');
    expect(await lvm(root)).toMatchObject([{ severity: 'ok' }]);
  });

  it('changes nothing the second time, and keeps the first text as the one from before', async () => {
    await using root = await proxyRoot({ '/etc/lvm/lvm.conf': STOCK });
    const findings = await lvm(root);
    await fixProxyStorage(root.path, findings);
    const after = await conf(root);
    expect((await fixProxyStorage(root.path, findings)).changed).toEqual([]);
    expect(await conf(root)).toBe(after);
    await root.write({ '/etc/lvm/lvm.conf': withDevices('global_filter = [ "a|.*|" ]') });
    await fix(root);
    expect(await conf(root, 'lvm.conf.before-onevault')).toBe(STOCK);
  });

  it('leaves a file that it does not understand', async () => {
    await using root = await proxyRoot({ '/etc/lvm/lvm.conf': STOCK, '/etc/lvm/lvmlocal.conf': 'devices {' });
    const findings: StorageFinding[] = [{ subsystem: 'lvm', severity: 'danger', code: 'LVM_SEES_ATTACHED_DISKS', seen: '', why: '', fix: '', fixable: true }];
    const { changed, refused } = await fixProxyStorage(root.path, findings);
    expect(changed).toEqual([]);
    expect(refused).toEqual([{ code: 'LVM_SEES_ATTACHED_DISKS', why: expect.stringContaining('/etc/lvm/lvmlocal.conf') }]);
    expect(await conf(root)).toBe(STOCK);
  });
});
