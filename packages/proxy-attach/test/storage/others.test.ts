import { chmod, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkProxyStorage, fixProxyStorage, type StorageFinding, type StorageSubsystem } from '../../src/index.ts';
import { type ProxyRoot, proxyRoot } from './proxy-root.ts';

async function of(root: ProxyRoot, subsystem: StorageSubsystem): Promise<StorageFinding[]> {
  return (await checkProxyStorage(root.path)).filter((finding) => finding.subsystem === subsystem);
}

async function fix(root: ProxyRoot): ReturnType<typeof fixProxyStorage> {
  return await fixProxyStorage(root.path, await checkProxyStorage(root.path));
}

const text = async (root: ProxyRoot, path: string): Promise<string> => await readFile(join(root.path, path), 'utf8');

describe('checkProxyStorage', () => {
  it('says of a bare machine that nothing is installed, and finds nothing to fix', async () => {
    await using root = await proxyRoot();
    const findings = await checkProxyStorage(root.path);
    expect(findings.map(({ subsystem, severity }) => [subsystem, severity])).toEqual(
      ['udev', 'lvm', 'multipath', 'mdadm', 'btrfs', 'bcache', 'automount', 'zfs'].map((subsystem) => [subsystem, 'ok']),
    );
    for (const { seen } of findings) expect(seen).toMatch(/ is not installed$/);
    expect(await fixProxyStorage(root.path, findings)).toMatchObject({ changed: [], refused: [] });
  });

  it('runs on this machine, and says where it looked', async () => {
    for (const finding of await checkProxyStorage()) {
      expect(finding.seen).not.toBe('');
      if (finding.severity !== 'ok')
        expect(finding).toMatchObject({ code: expect.any(String), why: expect.stringMatching(/./), fix: expect.stringMatching(/./) });
    }
  });

  it('stops with the reason of an aborted signal', async () => {
    await using root = await proxyRoot();
    const reason = new Error('stop');
    await expect(checkProxyStorage(root.path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('multipath', () => {
  const daemon = { '/usr/sbin/multipathd': '' };

  it.each<{ readonly title: string; readonly conf: string | undefined; readonly severity: string }>([
    { title: 'no configuration', conf: undefined, severity: 'warning' },
    { title: 'a configuration that says nothing of it', conf: 'defaults {\n  user_friendly_names yes\n}\n', severity: 'warning' },
    { title: 'find_multipaths greedy', conf: 'defaults {\n  find_multipaths greedy\n}\n', severity: 'danger' },
    { title: 'find_multipaths no', conf: 'defaults {\n  find_multipaths "no"\n}\n', severity: 'danger' },
    {
      title: 'a blacklist of other disks',
      conf: 'defaults {\n find_multipaths off\n}\nblacklist {\n  devnode "^(ram|loop|vd)[0-9a-z]"\n}\n',
      severity: 'danger',
    },
    {
      title: 'a blacklist that an exception takes back',
      conf: 'defaults {\n find_multipaths off\n}\nblacklist {\n  devnode "^sd"\n}\nblacklist_exceptions {\n  devnode "^sdb"\n}\n',
      severity: 'danger',
    },
  ])('takes attached disks with $title: $severity', async ({ conf, severity }) => {
    await using root = await proxyRoot({ ...daemon, ...(conf !== undefined && { '/etc/multipath.conf': conf }) });
    expect(await of(root, 'multipath')).toMatchObject([{ severity, code: 'MULTIPATH_TAKES_ATTACHED_DISKS', fixable: true }]);
    expect((await fix(root)).changed).toContainEqual({ path: '/etc/multipath/conf.d/onevault.conf', backup: undefined });
    expect(await of(root, 'multipath')).toMatchObject([{ severity: 'ok', seen: expect.stringContaining('onevault.conf:3') }]);
  });

  it.each([
    'defaults {\n\tfind_multipaths yes # RHEL\n}\n',
    'blacklist {\n  devnode "!^dasd"\n}\n',
    'blacklist {\n    wwid ".*"\n}\n',
    'blacklist {\n  device {\n    vendor "QEMU"\n    product ".*"\n  }\n}\n',
    'blacklist {\n  devnode "^sd[a-z]"\n}\nblacklist_exceptions {\n  wwid "3600a098"\n}\n',
  ])('leaves them alone with %j', async (conf) => {
    await using root = await proxyRoot({ ...daemon, '/etc/multipath.conf': conf });
    expect(await of(root, 'multipath')).toMatchObject([{ severity: 'ok', seen: expect.stringMatching(/multipath\.conf:\d+: /) }]);
  });

  it('is not judged, and not changed, where its configuration is not understood', async () => {
    await using root = await proxyRoot({ ...daemon, '/etc/multipath.conf': 'blacklist {\n devnode "^sd\n' });
    expect(await of(root, 'multipath')).toMatchObject([{ severity: 'danger', code: 'MULTIPATH_CONFIG_UNREADABLE', fixable: false }]);
    expect((await fix(root)).changed).toEqual([]);
  });

  it('is not changed where an exception would undo the change', async () => {
    const conf = 'blacklist_exceptions {\n  device {\n    vendor "QEMU"\n  }\n}\n';
    await using root = await proxyRoot({ ...daemon, '/etc/multipath.conf': conf });
    expect(await fix(root)).toMatchObject({ changed: [], refused: [{ code: 'MULTIPATH_TAKES_ATTACHED_DISKS' }] });
  });
});

describe('mdadm', () => {
  it.each([
    ['no configuration', undefined],
    ['no AUTO', 'DEVICE partitions containers\nHOMEHOST <system>\n'],
    ['AUTO homehost -all: a clone of the proxy has its host name', 'AUTO homehost -all\n'],
    ['AUTO that lets one kind through', 'AUTO +1.x -all\n'],
    ['AUTO after a comment', '# AUTO -all\n'],
  ])('assembles arrays of guests with %s', async (_, conf) => {
    await using root = await proxyRoot({ '/sbin/mdadm': '', ...(conf !== undefined && { '/etc/mdadm/mdadm.conf': conf }) });
    expect(await of(root, 'mdadm')).toMatchObject([{ severity: 'danger', code: 'MDADM_ASSEMBLES_ATTACHED_DISKS' }]);
    await fix(root);
    expect(await of(root, 'mdadm')).toMatchObject([{ severity: 'ok', seen: expect.stringContaining('AUTO -all') }]);
  });

  it.each(['AUTO -all\n', 'auto -1.x -0.90\n -ddf -imsm\n', 'DEVICE /dev/vda*\n', 'DEV /dev/nvme*\nARRAY /dev/md0 UUID=1:2:3:4\n'])(
    'leaves them alone with %j',
    async (conf) => {
      await using root = await proxyRoot({ '/etc/mdadm.conf': conf });
      expect(await of(root, 'mdadm')).toMatchObject([{ severity: 'ok', seen: expect.stringContaining('/etc/mdadm.conf:1') }]);
    },
  );

  it('replaces the AUTO that is there, for mdadm takes only one', async () => {
    await using root = await proxyRoot({ '/etc/mdadm/mdadm.conf': 'HOMEHOST <system>\nAUTO +all\nARRAY /dev/md0 UUID=1:2:3:4\n' });
    await fix(root);
    expect(await text(root, '/etc/mdadm/mdadm.conf')).toBe(
      'HOMEHOST <system>\nARRAY /dev/md0 UUID=1:2:3:4\n# onevault: attached disks are not assembled\nAUTO -all\n',
    );
  });

  it('is not changed while the proxy runs an array that the configuration does not list: it would not come up again', async () => {
    await using root = await proxyRoot({ '/etc/mdadm/mdadm.conf': 'AUTO +all\n', '/sys/block/md0/size': '8\n' });
    expect(await fix(root)).toMatchObject({ changed: [], refused: [{ code: 'MDADM_ASSEMBLES_ATTACHED_DISKS', why: expect.stringContaining('md0') }] });
    await root.write({ '/etc/mdadm/mdadm.conf': 'AUTO +all\nARRAY /dev/md0 UUID=1:2:3:4\n' });
    expect(await fix(root)).toMatchObject({ changed: [{ path: '/etc/mdadm/mdadm.conf' }], refused: [] });
  });
});

describe('udev and those who act on its word', () => {
  const RULES = '/usr/lib/udev/rules.d';

  it.each<{ readonly subsystem: StorageSubsystem; readonly file: string; readonly severity: string; readonly code: string }>([
    { subsystem: 'btrfs', file: `${RULES}/64-btrfs.rules`, severity: 'warning', code: 'BTRFS_REGISTERS_ATTACHED_DISKS' },
    { subsystem: 'bcache', file: `${RULES}/69-bcache.rules`, severity: 'danger', code: 'BCACHE_REGISTERS_ATTACHED_DISKS' },
    { subsystem: 'automount', file: '/usr/libexec/udisks2/udisksd', severity: 'warning', code: 'AUTOMOUNT_MAY_MOUNT' },
    { subsystem: 'automount', file: '/usr/bin/udiskie', severity: 'danger', code: 'AUTOMOUNT_MAY_MOUNT' },
  ])('$file would touch attached disks until the rule is there: $code', async ({ subsystem, file, severity, code }) => {
    await using root = await proxyRoot({ [file]: '', '/etc/udev/udev.conf': '' });
    expect(await of(root, subsystem)).toMatchObject([{ severity, code, fixable: true, seen: file }]);
    expect(await of(root, 'udev')).toMatchObject([{ severity: 'warning', code: 'UDEV_RULE_MISSING' }]);
    const { changed, remaining } = await fix(root);
    expect(changed).toEqual([{ path: '/etc/udev/rules.d/59-onevault.rules', backup: undefined }]);
    expect(remaining.filter((finding) => finding.severity !== 'ok')).toEqual([]);
  });

  it('marks virtio disks by serial and SCSI disks by serial and address, before anybody looks into them', async () => {
    await using root = await proxyRoot({ '/etc/udev/udev.conf': '' });
    await fix(root);
    const rule = await text(root, '/etc/udev/rules.d/59-onevault.rules');
    expect(rule).toContain('ATTRS{serial}=="ov-*"');
    expect(rule).toContain('KERNELS=="*:0:14:0|*:0:15:0|');
    expect(rule).toContain('*:0:25:0"');
    expect(rule).not.toContain('*:0:13:0');
    // Every jump leads to a label, and only forwards: udev drops a rule file where one does not.
    const labels = [...rule.matchAll(/LABEL="(\w+)"/g)].map(([, label]) => label);
    for (const [, goal] of rule.matchAll(/GOTO="(\w+)"/g)) expect(labels).toContain(goal);
  });

  it('finds a rule of another version', async () => {
    await using root = await proxyRoot({ '/etc/udev/rules.d/59-onevault.rules': '# older\n' });
    expect(await of(root, 'udev')).toMatchObject([{ code: 'UDEV_RULE_MISSING', seen: expect.stringContaining('not the rule of this version') }]);
    expect((await fix(root)).changed).toEqual([{ path: '/etc/udev/rules.d/59-onevault.rules', backup: '/etc/udev/rules.d/59-onevault.rules.before-onevault' }]);
  });
});

describe('ZFS', () => {
  it('is content unless pools are imported by scanning at boot', async () => {
    await using root = await proxyRoot({ '/usr/sbin/zpool': '' });
    expect(await of(root, 'zfs')).toMatchObject([{ severity: 'ok' }]);
    await root.link('/etc/systemd/system/zfs-import.target.wants/zfs-import-scan.service', '/lib/systemd/system/zfs-import-scan.service');
    expect(await of(root, 'zfs')).toMatchObject([{ severity: 'warning', code: 'ZFS_IMPORTS_BY_SCAN', fixable: false }]);
  });
});

describe('fixProxyStorage', () => {
  it('keeps the mode of a file and leaves no draft behind', async () => {
    await using root = await proxyRoot({ '/etc/mdadm/mdadm.conf': 'AUTO +all\n' });
    await chmod(join(root.path, 'etc/mdadm/mdadm.conf'), 0o640);
    await fix(root);
    expect((await stat(join(root.path, 'etc/mdadm/mdadm.conf'))).mode & 0o777).toBe(0o640);
    expect((await readdir(join(root.path, 'etc/mdadm'))).sort()).toEqual(['mdadm.conf', 'mdadm.conf.before-onevault']);
  });

  it('stops between two settings with the reason of an aborted signal', async () => {
    await using root = await proxyRoot({ '/etc/mdadm/mdadm.conf': 'AUTO +all\n' });
    const findings = await checkProxyStorage(root.path);
    const reason = new Error('stop');
    await expect(fixProxyStorage(root.path, findings, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(await text(root, '/etc/mdadm/mdadm.conf')).toBe('AUTO +all\n');
  });
});
