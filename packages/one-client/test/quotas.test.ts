import { describe, expect, test } from 'vitest';
import { datastoreId, datastoreQuota, imageId, imageQuota, networkQuota, quotaLeft, vmQuota } from '../src/index.ts';
import { parseGroup, parseUser } from '../src/parse-infrastructure.ts';

const EMPTY = '<DATASTORE_QUOTA></DATASTORE_QUOTA><NETWORK_QUOTA></NETWORK_QUOTA><VM_QUOTA></VM_QUOTA><IMAGE_QUOTA></IMAGE_QUOTA>';

interface Quotas {
  readonly datastore?: string;
  readonly vm?: string;
  readonly rest?: string;
}

const quotaXml = ({ datastore = '', vm = '', rest = '' }: Quotas): string =>
  `<DATASTORE_QUOTA>${datastore}</DATASTORE_QUOTA>${rest === '' ? '<NETWORK_QUOTA></NETWORK_QUOTA><IMAGE_QUOTA></IMAGE_QUOTA>' : rest}<VM_QUOTA>${vm}</VM_QUOTA>`;

const userXml = (own: Quotas, defaults: Quotas = {}): string =>
  `<USER><ID>3</ID><GID>1</GID><GROUPS><ID>1</ID></GROUPS><GNAME>users</GNAME><NAME>alice</NAME><TEMPLATE></TEMPLATE>${quotaXml(own)}` +
  `<DEFAULT_USER_QUOTAS>${quotaXml(defaults)}</DEFAULT_USER_QUOTAS></USER>`;

const datastoreRow = (id: number, size: string, used: string): string =>
  `<DATASTORE><ID><![CDATA[${id}]]></ID><IMAGES><![CDATA[-1]]></IMAGES><IMAGES_USED><![CDATA[2]]></IMAGES_USED><SIZE><![CDATA[${size}]]></SIZE><SIZE_USED><![CDATA[${used}]]></SIZE_USED></DATASTORE>`;

describe('a quota', () => {
  test('has the limit and the use of the datastore that is asked for, not of another', () => {
    const { quotas } = parseUser(userXml({ datastore: datastoreRow(1, '100', '40') + datastoreRow(100, '7', '7') }));
    expect(datastoreQuota(quotas, datastoreId(1))).toEqual({ sizeMiB: { used: 40, limit: 100 }, images: { used: 2, limit: undefined } });
    expect(quotaLeft(datastoreQuota(quotas, datastoreId(1)).sizeMiB)).toBe(60);
    expect(quotaLeft(datastoreQuota(quotas, datastoreId(100)).sizeMiB)).toBe(0);
  });

  test.each([
    ['-1 means the default', '-1', '500', 500],
    ['-2 means none, whatever the default', '-2', '500', undefined],
    ['an unlimited default is none', '-1', '-2', undefined],
    ['of 0 is 0', '0', '500', 0],
    ['may have decimals', '12.5', '500', 12.5],
  ])('%s', (_what, own, fallback, limit) => {
    const { quotas } = parseUser(userXml({ datastore: datastoreRow(1, own, '3') }, { datastore: datastoreRow(1, fallback, '0') }));
    expect(datastoreQuota(quotas, datastoreId(1)).sizeMiB).toEqual({ used: 3, limit });
  });

  test('nobody set is the default, and no limit where there is none', () => {
    const { quotas } = parseUser(userXml({}, { datastore: datastoreRow(1, '500', '0') }));
    expect(datastoreQuota(quotas, datastoreId(1)).sizeMiB).toEqual({ used: 0, limit: 500 });
    expect(quotaLeft(datastoreQuota(quotas, datastoreId(2)).sizeMiB)).toBe(Number.POSITIVE_INFINITY);
  });

  test('of VMs counts memory, CPU and system disks; one that holds in single clusters only is another', () => {
    const all =
      '<VM><CPU>4</CPU><CPU_USED>1.5</CPU_USED><MEMORY>-1</MEMORY><MEMORY_USED>512</MEMORY_USED><SYSTEM_DISK_SIZE>1000</SYSTEM_DISK_SIZE>' +
      '<SYSTEM_DISK_SIZE_USED>1200</SYSTEM_DISK_SIZE_USED><VMS>2</VMS><VMS_USED>1</VMS_USED></VM>';
    const inCluster = '<VM><CLUSTER_IDS>100,101</CLUSTER_IDS><VMS>0</VMS><VMS_USED>0</VMS_USED></VM>';
    for (const vm of [all, inCluster + all]) {
      const quota = vmQuota(parseUser(userXml({ vm }, { vm: '<VM><MEMORY>2048</MEMORY></VM>' })).quotas);
      expect(quota).toMatchObject({ vms: { used: 1, limit: 2 }, cpu: { used: 1.5, limit: 4 }, memoryMiB: { used: 512, limit: 2048 } });
      expect(quota.runningVms).toEqual({ used: 0, limit: undefined });
      expect(quotaLeft(quota.systemDiskMiB)).toBe(-200);
    }
  });

  test('of images and networks is there too', () => {
    const rest =
      '<NETWORK_QUOTA><NETWORK><ID>5</ID><LEASES>10</LEASES><LEASES_USED>9</LEASES_USED></NETWORK></NETWORK_QUOTA>' +
      '<IMAGE_QUOTA><IMAGE><ID>7</ID><RVMS>2</RVMS><RVMS_USED>1</RVMS_USED></IMAGE></IMAGE_QUOTA>';
    const { quotas } = parseUser(userXml({ rest }));
    expect(networkQuota(quotas, 5)).toEqual({ used: 9, limit: 10 });
    expect(imageQuota(quotas, imageId(7))).toEqual({ used: 1, limit: 2 });
  });

  test('of a group has the defaults of groups', () => {
    const group =
      `<GROUP><ID>100</ID><NAME>shop</NAME><TEMPLATE></TEMPLATE><USERS><ID>3</ID><ID>4</ID></USERS><ADMINS></ADMINS>${EMPTY}` +
      `<DEFAULT_GROUP_QUOTAS>${quotaXml({ datastore: datastoreRow(1, '9', '0') })}</DEFAULT_GROUP_QUOTAS></GROUP>`;
    expect(parseGroup(group)).toMatchObject({ id: 100, name: 'shop', userIds: [3, 4], adminIds: [] });
    expect(datastoreQuota(parseGroup(group).quotas, datastoreId(1)).sizeMiB.limit).toBe(9);
  });

  test('is unlimited in a body that says nothing of quotas', () => {
    const user = parseUser('<USER><ID>0</ID><GID>0</GID><GROUPS><ID>0</ID></GROUPS><NAME>oneadmin</NAME><TEMPLATE></TEMPLATE></USER>');
    expect(quotaLeft(vmQuota(user.quotas).vms)).toBe(Number.POSITIVE_INFINITY);
  });
});
