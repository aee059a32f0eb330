import { describe, expect, test } from 'vitest';
import { startTestSimulator } from '../testing/index.ts';

/** One cloud has a pair of datastores of every driver that its version has, and a VM can be had on each. */
const FIELDS = ['TM_MAD', 'FORMAT', 'TYPE', 'LN_TARGET', 'ALLOW_ORPHANS', 'LVM_THIN_ENABLE'];
const EVERYWHERE = {
  100: 'qcow2 qcow2 FILE NONE FORMAT -',
  102: 'shared raw FILE NONE FORMAT -',
  104: 'ceph raw RBD NONE mixed -',
  106: 'fs_lvm raw BLOCK SYSTEM NO -',
  108: 'ssh raw FILE SYSTEM YES -',
  118: 'dev raw BLOCK NONE NO -',
  120: 'iscsi_libvirt raw BLOCK NONE NO -',
};
const SINCE_70 = {
  110: 'local raw FILE SYSTEM FORMAT -',
  112: 'fs_lvm_ssh raw BLOCK SYSTEM YES -',
  114: 'fs_lvm_ssh raw BLOCK SYSTEM YES YES',
};
const VERSIONS = [
  ['6.10.5', { ...EVERYWHERE, 112: 'fs_lvm_ssh raw BLOCK SYSTEM NO -' }],
  ['7.0.2', { ...EVERYWHERE, ...SINCE_70 }],
  ['7.4.0', { ...EVERYWHERE, ...SINCE_70, 116: 'lvm raw BLOCK NONE YES -' }],
] as const;
const PERSISTENT_ONLY: readonly number[] = [118, 120];

describe.each(VERSIONS)('%s', (version, expected) => {
  test('a VM runs with a disk of each driver, and its disk is what the driver makes of it', async () => {
    await using one = await startTestSimulator({ version, proxy: false });
    const seen: Record<number, string> = {};
    for (const datastore of Object.keys(expected).map(Number)) {
      const persistent = PERSISTENT_ONLY.includes(datastore);
      const { vmId } = await one.sim.control.createVm({ name: `on-${datastore}`, disks: [{ sizeMiB: 1, datastore, persistent }] });
      const body = await one.must('one.vm.info', vmId);
      const field = (name: string): string => new RegExp(`<DISK>.*?<${name}><!\\[CDATA\\[(.*?)\\]\\]>.*?</DISK>`, 's').exec(body)?.[1] ?? '-';
      expect(/<LCM_STATE>3</.test(body), `datastore ${datastore}`).toBe(true);
      seen[datastore] = FIELDS.map(field).join(' ');
    }
    expect(seen).toEqual(expected);
    expect(await one.sim.control.unexpectedErrors()).toEqual([]);
  });
});

test('the default datastore is of driver ssh on 6.10 and of driver local since 7.0', async () => {
  for (const [version, tmMad] of [
    ['6.10.5', 'ssh'],
    ['7.0.2', 'local'],
  ] as const) {
    await using one = await startTestSimulator({ version, proxy: false });
    expect(await one.must('one.datastore.info', 1, false)).toContain(`<TM_MAD><![CDATA[${tmMad}]]></TM_MAD>`);
  }
});

test('a Ceph image on a system datastore of driver ssh is a file on the host', async () => {
  await using one = await startTestSimulator({ proxy: false });
  const { vmId } = await one.sim.control.createVm({ name: 'vm', disks: [{ sizeMiB: 1, datastore: 104 }], systemDatastore: 109 });
  const body = await one.must('one.vm.info', vmId);
  for (const part of ['<TM_MAD><![CDATA[ceph]]>', '<TM_MAD_SYSTEM><![CDATA[ssh]]>', '<CLONE_TARGET><![CDATA[SYSTEM]]>', '<TYPE><![CDATA[FILE]]>'])
    expect(body).toContain(part);
});

test('the default machine is pc before 7.2 and q35 since, and the context CD is on the bus of its chipset', async () => {
  for (const [version, machine, target] of [
    ['7.0.2', '', 'hda'],
    ['7.4.0', '<MACHINE><![CDATA[q35]]></MACHINE>', 'sda'],
  ] as const) {
    await using one = await startTestSimulator({ version, proxy: false });
    const { vmId } = await one.sim.control.createVm({ name: 'vm', disks: [{ sizeMiB: 1 }] });
    const body = await one.must('one.vm.info', vmId);
    expect(/<OS>.*<\/OS>/.exec(body)?.[0]).toContain(machine);
    expect(body.includes('<MACHINE>')).toBe(machine !== '');
    expect(/<CONTEXT>.*?<TARGET><!\[CDATA\[(\w+)/.exec(body)?.[1]).toBe(target);
  }
});

describe('images of type FILESYSTEM', () => {
  test('exist since 7.2: a disk of one is neither snapshotted, saved nor detached', async () => {
    await using one = await startTestSimulator({ version: '7.4.0', proxy: false });
    const { vmId } = await one.sim.control.createVm({
      name: 'vm',
      disks: [
        { sizeMiB: 1, datastore: 102 },
        { sizeMiB: 1, datastore: 122, type: 'FILESYSTEM' },
      ],
      systemDatastore: 103,
    });
    const texts = [
      await one.call('one.vm.disksnapshotcreate', vmId, 1, 's'),
      await one.call('one.vm.disksaveas', vmId, 1, 'x', '', -1),
      await one.call('one.vm.detach', vmId, 1),
    ].map((answer) => answer.value.replace(/^\[.*?\] /, ''));
    expect(texts).toEqual([
      'Cannot make snapshots on disks of type: FILESYSTEM',
      'Cannot save an image of type FILESYSTEM',
      'FILESYSTEM disks can not be detached',
    ]);
  });

  test('are unknown before', async () => {
    await using one = await startTestSimulator({ proxy: false });
    expect(await one.call('one.image.allocate', 'NAME="f"\nTYPE="FILESYSTEM"\nSIZE="1"', 100, false)).toMatchObject({ ok: false });
  });
});
