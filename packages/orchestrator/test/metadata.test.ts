import { randomBytes } from 'node:crypto';
import { Secret } from '@onevault/base';
import { type OneApi, OneError, type Vm } from '@onevault/one-client';
import { describe, expect, it } from 'vitest';
import { readMetadata } from '../src/metadata.ts';
import { decodeSecrets } from '../src/secrets.ts';
import { buildDisk, buildVm } from '../testing/index.ts';

const PASSWORD = randomBytes(32).toString('base64');

const vmXml = (password: string): string =>
  '<VM><ID>6</ID><UID>3</UID><GID>100</GID><UNAME>a</UNAME><GNAME>g</GNAME><NAME>web</NAME><STATE>3</STATE><LCM_STATE>3</LCM_STATE><PREV_STATE>3</PREV_STATE><STIME>1</STIME>' +
  `<TEMPLATE><CONTEXT><PASSWORD><![CDATA[${password}]]></PASSWORD></CONTEXT></TEMPLATE><USER_TEMPLATE></USER_TEMPLATE></VM>`;

const imageXml =
  '<IMAGE><ID>10</ID><UID>0</UID><GID>0</GID><UNAME>a</UNAME><GNAME>g</GNAME><NAME>os</NAME><TYPE>0</TYPE><PERSISTENT>0</PERSISTENT><REGTIME>1</REGTIME><SIZE>64</SIZE><STATE>2</STATE>' +
  '<RUNNING_VMS>1</RUNNING_VMS><DATASTORE_ID>1</DATASTORE_ID><DATASTORE>default</DATASTORE><TEMPLATE></TEMPLATE></IMAGE>';

const vm: Vm = buildVm({
  uid: 3,
  gid: 100,
  xml: vmXml(PASSWORD),
  disks: [buildDisk(), buildDisk({ imageId: undefined, type: 'fs' })],
  template: {
    TEMPLATE_ID: '4',
    CONTEXT: { PASSWORD },
    VMGROUP: { VMGROUP_ID: '2', ROLE: 'db' },
    NIC: [
      { NETWORK_ID: '5', SECURITY_GROUPS: '0,101' },
      { NETWORK_ID: '5', SECURITY_GROUPS: '0' },
    ],
    NIC_ALIAS: { NETWORK_ID: '6', SECURITY_GROUPS: '0' },
  },
});

/** A cloud of which metadata can be read; `refuse` throws for what it does not give away, `password` is what it answers when asked to decrypt. */
function cloudOf(refuse: (what: string) => void = () => undefined, password = PASSWORD): { readonly cloud: OneApi; readonly asked: string[] } {
  const asked: string[] = [];
  const answer = async <T>(what: string, value: T): Promise<T> => {
    asked.push(what);
    refuse(what);
    return value;
  };
  const cloud = {
    image: (id: number) => answer(`image ${id}`, { id, template: {}, xml: imageXml }),
    template: (id: number) => answer(`template ${id}`, { xml: '<VMTEMPLATE/>' }),
    host: (id: number) =>
      answer(`host ${id}`, { id, name: 'node1', clusterId: 0, clusterName: 'default', vmMad: 'kvm', template: { ARCH: 'x86_64', CPUSPEED: '0' } }),
    rawInfo: (kind: string, id: number) => answer(`${kind} ${id}`, `<X id="${id}"/>`),
    decryptedInfo: (kind: string, id: number) => answer(`decrypted ${kind} ${id}`, new Secret(kind === 'vm' ? vmXml(password) : imageXml)),
  };
  return { cloud: cloud as unknown as OneApi, asked };
}

describe('the metadata of a restore point', () => {
  it('has every body around the VM in a file of its own, each read once', async () => {
    const { cloud, asked } = cloudOf();
    const { files, missing } = await readMetadata(cloud, vm, { keepSecrets: false });
    expect([...files.keys()].sort()).toEqual(
      [
        'vm.xml',
        'images/10.xml',
        'templates/4.xml',
        'datastores/0.xml',
        'datastores/1.xml',
        'networks/5.xml',
        'networks/6.xml',
        'security-groups/0.xml',
        'security-groups/101.xml',
        'vm-groups/2.xml',
        'users/3.xml',
        'groups/100.xml',
        'clusters/0.xml',
        'host.json',
      ].sort(),
    );
    expect(files.get('vm.xml')).toBe(vm.xml);
    expect(JSON.parse(files.get('host.json') ?? '')).toEqual({ id: 0, name: 'node1', clusterId: 0, clusterName: 'default', vmMad: 'kvm', ARCH: 'x86_64' });
    expect(missing).toEqual([]);
    expect(new Set(asked).size).toBe(asked.length);
    expect(asked).toHaveLength(13);
  });

  it.each([
    ['ONE_AUTHORIZATION', 'METADATA_NOT_PERMITTED'],
    ['ONE_NO_EXISTS', 'METADATA_GONE'],
    ['ONE_FAULT', 'METADATA_UNKNOWN'],
  ] as const)('goes on without what %s refuses, and says so', async (code, reason) => {
    const { cloud } = cloudOf((what) => {
      if (what === 'host 0' || what === 'image 10') throw new OneError(code, 'no');
    });
    const { files, missing } = await readMetadata(cloud, vm, { keepSecrets: true });
    expect(files.has('images/10.xml')).toBe(false);
    expect(missing).toEqual([
      { name: 'images/10.xml', code: reason, why: 'no', wanted: true },
      { name: 'host.json', code: reason, why: 'no', wanted: false },
    ]);
  });

  it('is not read from an OpenNebula that does not answer', async () => {
    const { cloud } = cloudOf((what) => {
      if (what === 'users 3' || what === 'user 3') throw new OneError('ONE_UNREACHABLE', 'gone');
    });
    await expect(readMetadata(cloud, vm, { keepSecrets: false })).rejects.toMatchObject({ code: 'ONE_UNREACHABLE' });
  });

  it('has secrets in the clear only for an encrypted repository, and only of an administrator', async () => {
    const open = await readMetadata(cloudOf(undefined, 'opensesame').cloud, vm, { keepSecrets: false });
    expect(open.secrets).toEqual({ kept: 'CIPHER', attributes: ['CONTEXT/PASSWORD'] });
    expect([...open.files.values()].join()).not.toContain('opensesame');

    const sealed = await readMetadata(cloudOf(undefined, 'opensesame').cloud, vm, { keepSecrets: true });
    expect(sealed.secrets).toEqual({ kept: 'CLEAR', attributes: ['CONTEXT/PASSWORD'] });
    expect(decodeSecrets(sealed.files.get('secrets.json') ?? '').template).toEqual([{ path: ['CONTEXT', 'PASSWORD'], value: 'opensesame' }]);
    expect(sealed.files.get('vm.xml')).toBe(vm.xml);

    const regular = await readMetadata(cloudOf().cloud, vm, { keepSecrets: true });
    expect(regular.secrets).toEqual({ kept: 'CIPHER', attributes: ['CONTEXT/PASSWORD'] });
    expect(regular.files.has('secrets.json')).toBe(false);
  });

  it('asks nobody to decrypt anything for a repository that is not encrypted', async () => {
    const { cloud, asked } = cloudOf();
    await readMetadata(cloud, vm, { keepSecrets: false });
    expect(asked.filter((what) => what.startsWith('decrypted'))).toEqual([]);
  });
});
