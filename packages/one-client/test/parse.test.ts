import { describe, expect, test } from 'vitest';
import { parseBody, splitPool } from '../src/body.ts';
import { parseImage } from '../src/parse-image.ts';
import { parseDatastore, parseHost, parseTemplate, parseUser } from '../src/parse-infrastructure.ts';
import { parseVm, parseVmSummary } from '../src/parse-vm.ts';
import { recordedBody } from './recorded-body.ts';

const vmXml = await recordedBody('7.0.2', '001-vm-info');
const poolXml = await recordedBody('7.4.0', '026-vmpool-info');
const imageXml = await recordedBody('7.0.2', '006-image-info');

describe('a VM', () => {
  test('has its identity, state and place', () => {
    expect(parseVm(vmXml)).toMatchObject({
      id: 6,
      name: 'target',
      uid: 0,
      userName: 'oneadmin',
      state: 3,
      lcmState: 3,
      prevState: 3,
      startTime: 1795333590,
      deployId: '72625bab-7e45-4d62-b98e-267d63680bcf',
      uuid: '72625bab-7e45-4d62-b98e-267d63680bcf',
      hostName: 'localhost',
      memoryMiB: 512,
      cpu: 1,
      diskCount: 3,
      diskSizeMiB: 3072 + 512 + 64,
      contextDisk: { diskId: 3, target: 'hda' },
      history: [{ seq: 0, hostName: 'localhost', hostId: 1, clusterId: 0, datastoreId: 0, vmMad: 'kvm', tmMad: 'local' }],
      backupConfig: {},
      lockLevel: undefined,
      lock: undefined,
      permissions: { owner: { use: true, manage: true, admin: false }, group: { use: false, manage: false, admin: false } },
      backupIds: [],
      guestAgent: false,
      machine: undefined,
      error: undefined,
      userTemplate: {},
      xml: vmXml,
    });
  });

  test('has its disks: of a non-persistent image, of a persistent one, and a volatile one', () => {
    expect(parseVm(vmXml).disks).toMatchObject([
      {
        diskId: 0,
        imageId: 0,
        imageName: 'deb-os',
        datastoreId: 1,
        type: 'FILE',
        format: 'qcow2',
        sizeMiB: 3072,
        target: 'vda',
        persistent: false,
        clone: true,
        tmMad: 'local',
      },
      { diskId: 1, imageId: 1, persistent: true, clone: false, attributes: { SAVE: 'YES', LN_TARGET: 'SYSTEM' } },
      { diskId: 2, imageId: undefined, imageName: undefined, datastoreId: 0, type: 'fs', format: 'raw', sizeMiB: 64, target: 'vdc' },
    ]);
  });

  test('has the snapshots of each disk that ever had one', () => {
    expect(parseVm(vmXml).snapshots).toEqual([
      {
        diskId: 1,
        allowOrphans: 'NO',
        nextSnapshot: 2,
        snapshots: [
          { id: 0, name: 'ov-test-1', active: false, parent: -1, children: [1], date: 1795333284, sizeMiB: 512 },
          { id: 1, name: 'ov-test-1', active: true, parent: 0, children: [], date: 1795333437, sizeMiB: 512 },
        ],
      },
    ]);
  });

  test('keeps the empty SNAPSHOTS that stays after the last snapshot is deleted', () => {
    const emptied = vmXml.replace(/<SNAPSHOT>.*<\/SNAPSHOT>/s, '');
    expect(parseVm(emptied).snapshots).toEqual([{ diskId: 1, allowOrphans: 'NO', nextSnapshot: 2, snapshots: [] }]);
  });

  test('keeps every attribute of its templates, one disk as a list too', () => {
    const one = vmXml.replace(/<DISK>.*?<\/DISK>(<DISK>.*?<\/DISK>)<DISK>.*?<\/DISK>/s, '$1');
    const { template } = parseVm(one);
    expect(template['DISK']).toMatchObject([{ DISK_ID: '1', SIZE: '512' }]);
    expect(template['RAW']).toMatchObject({ TYPE: 'kvm', DATA: expect.stringContaining("<qemu:arg value='-cpu'/>") });
    expect(template['AUTOMATIC_REQUIREMENTS']).toBe('(CLUSTER_ID = 0) & !(PIN_POLICY = PINNED)');
  });

  test('shows the sticky error, the scheduler’s reason, a lock and its own backup settings', () => {
    const marked = vmXml
      .replace(
        '<USER_TEMPLATE></USER_TEMPLATE>',
        '<USER_TEMPLATE><ERROR><![CDATA[x: y]]></ERROR><SCHED_MESSAGE><![CDATA[no host]]></SCHED_MESSAGE></USER_TEMPLATE>',
      )
      .replace('<LAST_POLL>', '<LOCK><LOCKED>4</LOCKED><OWNER>0</OWNER></LOCK><LAST_POLL>')
      .replace('<BACKUP_CONFIG/>', '<BACKUP_CONFIG><MODE><![CDATA[INCREMENT]]></MODE></BACKUP_CONFIG>');
    expect(parseVm(marked)).toMatchObject({ error: 'x: y', schedMessage: 'no host', lockLevel: 4, backupConfig: { MODE: 'INCREMENT' } });
    expect(parseVm(marked).lock).toEqual({ level: 4, ownerId: 0, since: 0 });
  });

  test('keeps an attribute whose name OpenNebula takes and XML does not', () => {
    const odd = vmXml.replace(
      '<USER_TEMPLATE></USER_TEMPLATE>',
      '<USER_TEMPLATE><2FA><![CDATA[<2FA>yes</2FA>]]></2FA><9P><A><![CDATA[x]]></A></9P></USER_TEMPLATE>',
    );
    expect(parseVm(odd)).toMatchObject({ userTemplate: { '2FA': '<2FA>yes</2FA>', '9P': { A: 'x' } }, xml: odd });
  });

  test('that was never deployed has no host', () => {
    const pending = vmXml.replace(/<HISTORY_RECORDS>.*<\/HISTORY_RECORDS>/s, '<HISTORY_RECORDS></HISTORY_RECORDS>');
    expect(parseVm(pending)).toMatchObject({ hostName: undefined, history: [] });
  });

  test.each([
    ['STATE', /<STATE>3<\/STATE>/],
    ['NAME', /<NAME>target<\/NAME>/],
    ['PREV_STATE', /<PREV_STATE>3<\/PREV_STATE>/],
    ['TEMPLATE/DISK/0/SIZE', /<SIZE><!\[CDATA\[3072\]\]><\/SIZE>/],
    ['TEMPLATE/DISK/0/DISK_ID', /(?<=<DISK>.*)<DISK_ID><!\[CDATA\[0\]\]><\/DISK_ID>/],
    ['SNAPSHOTS/0/NEXT_SNAPSHOT', /<NEXT_SNAPSHOT>.*?<\/NEXT_SNAPSHOT>/],
  ])('without %s is refused by object and field', (field, pattern) => {
    expect(() => parseVm(vmXml.replace(pattern, ''))).toThrow(expect.objectContaining({ code: 'ONE_RESPONSE_INVALID', details: { object: 'VM 6', field } }));
  });

  test('with a number that is none is refused', () => {
    for (const bad of ['', 'x', '1e3', '99999999999999999999']) {
      expect(() => parseVm(vmXml.replace('<STATE>3<', `<STATE>${bad}<`))).toThrow(expect.objectContaining({ details: { object: 'VM 6', field: 'STATE' } }));
    }
  });

  test('cut anywhere is refused, never read in part', () => {
    for (let end = 1; end < vmXml.length; end += 97) {
      expect(() => parseVm(vmXml.slice(0, end))).toThrow(expect.objectContaining({ code: 'ONE_RESPONSE_INVALID' }));
    }
  });
});

describe('a pool', () => {
  test('short bodies give what a listing needs', () => {
    expect(splitPool(poolXml, 'VM_POOL', 'VM').map(parseVmSummary)).toMatchObject([
      { id: 2, name: 'proxy', hostName: 'localhost', diskCount: 1, diskSizeMiB: 3072, memoryMiB: 2048, cpu: 0.1 },
      { id: 1, name: 'targetq', diskCount: 3, diskSizeMiB: 3072 + 256 + 64 },
      { id: 0, name: 'target', diskCount: 3, diskSizeMiB: 3072 + 512 + 64 },
    ]);
  });

  test('is cut into the bodies as they came', () => {
    const bodies = splitPool(poolXml, 'VM_POOL', 'VM');
    expect(`<VM_POOL>${bodies.join('')}</VM_POOL>`).toBe(poolXml);
    expect(splitPool('<P>\n <E/> <E><E>x</E></E>\n</P>\n', 'P', 'E')).toEqual(['<E/>', '<E><E>x</E></E>']);
  });

  test('may be empty', () => {
    for (const empty of ['<VM_POOL/>', '<VM_POOL></VM_POOL>', '<VM_POOL>\n</VM_POOL>']) expect(splitPool(empty, 'VM_POOL', 'VM')).toEqual([]);
  });

  test.each([
    '',
    '<VM_POOL>',
    '<VM_POOL><VM></VM_POOL>',
    '<VM_POOL>x</VM_POOL>',
    '<VM_POOL><IMAGE></IMAGE></VM_POOL>',
    '<VM_POOL></VM></VM_POOL>',
    '<VM_POOL><VM></VM>',
    '<OTHER/>',
  ])('%j is none', (xml) => {
    expect(() => splitPool(xml, 'VM_POOL', 'VM')).toThrow(expect.objectContaining({ code: 'ONE_RESPONSE_INVALID' }));
  });
});

describe('images, datastores, hosts, templates and users', () => {
  test('an image in use names its VMs', () => {
    expect(parseImage(imageXml)).toMatchObject({
      id: 0,
      name: 'deb-os',
      type: 0,
      state: 2,
      persistent: false,
      format: 'qcow2',
      sizeMiB: 3072,
      datastoreId: 1,
      datastoreName: 'default',
      runningVms: 2,
      vmIds: [6, 7],
      registeredAt: 1795332906,
      snapshotCount: 0,
      error: undefined,
      template: { DEV_PREFIX: 'vd' },
    });
  });

  test('an image tells its error and its snapshots', () => {
    const failed = imageXml
      .replace('<TEMPLATE>', '<TEMPLATE><ERROR><![CDATA[Error creating datablock]]></ERROR>')
      .replace('</NEXT_SNAPSHOT>', '</NEXT_SNAPSHOT><SNAPSHOT><ACTIVE>YES</ACTIVE><DATE>5</DATE><ID>0</ID><PARENT>-1</PARENT><SIZE>64</SIZE></SNAPSHOT>');
    expect(parseImage(failed)).toMatchObject({
      error: 'Error creating datablock',
      snapshotCount: 1,
      snapshots: [{ id: 0, active: true, parent: -1, children: [], sizeMiB: 64 }],
    });
  });

  test('a datastore has its drivers and its space', async () => {
    const pool = splitPool(await recordedBody('7.0.2', '004'), 'DATASTORE_POOL', 'DATASTORE').map(parseDatastore);
    expect(pool).toMatchObject([
      { id: 2, type: 2 },
      {
        id: 1,
        name: 'default',
        type: 0,
        state: 0,
        dsMad: 'fs',
        tmMad: 'local',
        totalMiB: 258020,
        freeMiB: 73798,
        usedMiB: 30101,
        clusterIds: [0],
        template: { ALLOW_ORPHANS: 'FORMAT' },
      },
      { id: 0, type: 1, dsMad: '-' },
    ]);
  });

  test('a datastore offers what its limit leaves, and never less than nothing', async () => {
    const [, body = ''] = splitPool(await recordedBody('7.0.2', '004'), 'DATASTORE_POOL', 'DATASTORE');
    const withLimit = (attribute: string): ReturnType<typeof parseDatastore> => parseDatastore(body.replace('<TEMPLATE>', `<TEMPLATE>${attribute}`));
    expect(withLimit('')).toMatchObject({ availableMiB: 73798, capacityCheck: undefined });
    expect(withLimit('<LIMIT_MB><![CDATA[31101]]></LIMIT_MB>').availableMiB).toBe(1000);
    expect(withLimit('<LIMIT_MB><![CDATA[999999]]></LIMIT_MB>').availableMiB).toBe(73798);
    expect(withLimit('<LIMIT_MB><![CDATA[10]]></LIMIT_MB>').availableMiB).toBe(0);
    expect(withLimit('<DATASTORE_CAPACITY_CHECK><![CDATA[no]]></DATASTORE_CAPACITY_CHECK>').capacityCheck).toBe(false);
  });

  test('a host has its room for VMs', async () => {
    const [host] = splitPool(await recordedBody('7.0.2', '005'), 'HOST_POOL', 'HOST').map(parseHost);
    expect(host?.capacity.maxCpu).toBeGreaterThan(0);
    expect(host?.capacity.maxMemoryKiB).toBeGreaterThan(0);
    expect(host?.datastores).toEqual([expect.objectContaining({ id: 0 })]);
    expect(host?.template['HYPERVISOR']).toBe('kvm');
  });

  test('a host, a template and a user', async () => {
    const [host] = splitPool(await recordedBody('7.0.2', '005'), 'HOST_POOL', 'HOST').map(parseHost);
    expect(host).toMatchObject({ id: 1, name: 'localhost', state: 2, vmMad: 'kvm', clusterId: 0 });
    const templates = splitPool(await recordedBody('7.4.0', '032'), 'VMTEMPLATE_POOL', 'VMTEMPLATE').map(parseTemplate);
    expect(templates.map(({ id, name }) => [id, name])).toEqual([
      [2, 'proxy'],
      [1, 'targetq'],
      [0, 'target'],
    ]);
    const user = '<USER><ID>3</ID><GID>1</GID><GROUPS><ID>1</ID></GROUPS><GNAME>users</GNAME><NAME>alice</NAME><PASSWORD>x</PASSWORD></USER>';
    expect(parseUser(user)).toMatchObject({ id: 3, name: 'alice', gid: 1, groupIds: [1] });
  });

  test('what declares a document type, or is another object, is refused', () => {
    const bomb = `<!DOCTYPE x [<!ENTITY a "b">]>${imageXml}`;
    for (const bad of [bomb, vmXml, '<IMAGE/><IMAGE/>', '<IMAGE>', 'IMAGE', '']) {
      expect(() => parseImage(bad)).toThrow(expect.objectContaining({ code: 'ONE_RESPONSE_INVALID' }));
    }
  });

  test('what looks like a document type inside a value is a value', () => {
    const script = '<!DOCTYPE html><html></html>';
    for (const wrap of ['', '\n']) {
      const odd = vmXml.replace('<TEMPLATE>', `<TEMPLATE><START_SCRIPT><![CDATA[${script}]]></START_SCRIPT>${wrap}`);
      expect(parseVm(odd).template['START_SCRIPT']).toBe(script);
    }
  });

  test('names that mean something to JavaScript do no harm', () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      const odd = imageXml.replace('<TEMPLATE>', `<TEMPLATE><${name}>x</${name}>`);
      try {
        expect(parseImage(odd).id).toBe(0);
      } catch (error) {
        expect(error).toMatchObject({ code: 'ONE_RESPONSE_INVALID' });
      }
      expect(Object.getPrototypeOf({})).toBe(Object.prototype);
      expect(`${{}}`).toBe('[object Object]');
    }
  });
});

test('a body that cannot be read leaves nothing behind for the next', () => {
  const whole = '<VM><A>1</A><B><![CDATA[&x;]]></B></VM>';
  const expected = parseBody(whole, 'VM');
  for (const bad of [
    '<VM><A>',
    '<VM><A>1</B></VM>',
    '<VM><__proto__>1</__proto__></VM>',
    `${'<A>'.repeat(200)}`,
    '<!DOCTYPE VM [<!ENTITY x "y">]><VM><A>&x;</A></VM>',
    '',
  ]) {
    expect(() => parseBody(bad, 'VM')).toThrow(expect.objectContaining({ code: 'ONE_RESPONSE_INVALID' }));
    expect(parseBody(whole, 'VM')).toEqual(expected);
  }
});
