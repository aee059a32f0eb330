import { diskId, type Vm } from '@onevault/one-client';
import { describe, expect, it } from 'vitest';
import { compareVersions } from '../../src/definition/compare-versions.ts';
import type { DefinitionFacts } from '../../src/definition/definition-facts.ts';
import { NO_FACTS } from '../../src/definition/definition-facts.ts';
import type { DefinitionRequest } from '../../src/definition/definition-request.ts';
import { type Definition, newDefinition } from '../../src/definition/new-definition.ts';
import { STOCK_RESTRICTED } from '../../src/definition/restricted.ts';
import { buildDisk, buildVm } from '../../testing/index.ts';

const saved: Vm = buildVm({
  disks: [
    buildDisk({
      attributes: {
        IMAGE_ID: '10',
        IMAGE: 'os',
        TARGET: 'vda',
        DEV_PREFIX: 'vd',
        CACHE: 'none',
        CLONE: 'YES',
        CLONE_TARGET: 'SYSTEM',
        TM_MAD: 'qcow2',
        SIZE: '64',
        DISK_ID: '0',
        CEPH_HOST: 'x',
        SERIAL: 'auto',
        READ_IOPS_SEC: '100',
      },
    }),
    buildDisk({
      diskId: diskId(3),
      imageId: undefined,
      type: 'fs',
      attributes: { TYPE: 'fs', SIZE: '8', FORMAT: 'raw', FS: 'ext4', TARGET: 'vdc', DISK_ID: '3', TM_MAD: 'qcow2' },
    }),
  ],
  template: {
    CPU: '1',
    MEMORY: '512',
    VMID: '6',
    TEMPLATE_ID: '4',
    AUTOMATIC_REQUIREMENTS: 'x',
    OS: { ARCH: 'x86_64', UUID: 'u', BOOT: 'disk3,disk1,nic2' },
    NIC: [
      { NETWORK: 'lan', NETWORK_ID: '0', NIC_ID: '0', IP: '10.0.0.5', MAC: '02:00:0a:00:00:05', BRIDGE: 'br0', MODEL: 'virtio', NAME: 'NIC0', DNS: '10.0.0.1' },
      { NETWORK: 'ether', NETWORK_ID: '1', NIC_ID: '2', MAC: '02:00:00:00:00:01', NAME: 'NIC2', SECURITY_GROUPS: '0,7', DNS: '9.9.9.9' },
    ],
    NIC_ALIAS: [{ NETWORK: 'lan', NETWORK_ID: '0', NIC_ID: '3', ALIAS_ID: '0', PARENT: 'NIC2', PARENT_ID: '2', IP: '10.0.0.6', NAME: 'NIC2_ALIAS0' }],
    CONTEXT: { DISK_ID: '3', TARGET: 'hda', NETWORK: 'YES', ETH0_IP: '10.0.0.5', SSH_PUBLIC_KEY: 'k' },
    GRAPHICS: { TYPE: 'VNC', PORT: '5906', LISTEN: '0.0.0.0' },
    RAW: { TYPE: 'kvm', DATA: '<x/>' },
  },
  userTemplate: { LABELS: 'prod', ERROR: 'old', SCHED_MESSAGE: 'old', ONEVAULT_RUN: 'old', USER_INPUTS: { CPU: 'M|number' } },
});

const facts: DefinitionFacts = {
  ...NO_FACTS,
  savedNetworks: new Map([
    ['0', { DNS: '10.0.0.1' }],
    ['1', { DNS: '10.0.0.1' }],
  ]),
};
const request: DefinitionRequest = {
  name: 'web-restored',
  disks: [
    { diskId: 0, imageId: 77 },
    { diskId: 3, volatile: { sizeMiB: 8, type: 'fs', format: 'raw' } },
  ],
  nics: 'keep',
  systemDatastore: undefined,
  marks: { ONEVAULT_RUN: 'r1' },
  savedVersion: '7.0.2',
  targetVersion: '7.0.2',
  facts,
};
const made = (overrides: Partial<DefinitionRequest> = {}, vm: Vm = saved): Definition => newDefinition(vm, { ...request, ...overrides });
const codesAt = ({ changes }: Definition, path: string): string[] => changes.filter((change) => change.path === path).map(({ code }) => code);
const withTemplate = (template: Vm['template']): Vm => ({ ...saved, template: { ...saved.template, ...template } });

describe('definition of the new VM', () => {
  it('keeps what is the VM, drops what belongs to the old one, and numbers devices anew', () => {
    expect(made().template).toEqual({
      CPU: '1',
      MEMORY: '512',
      LABELS: 'prod',
      NAME: 'web-restored',
      ONEVAULT_RUN: 'r1',
      OS: { ARCH: 'x86_64', BOOT: 'disk1,nic1' },
      DISK: [
        { IMAGE_ID: '77', TARGET: 'vda', DEV_PREFIX: 'vd', CACHE: 'none', READ_IOPS_SEC: '100' },
        { TYPE: 'fs', SIZE: '8', FORMAT: 'raw', FS: 'ext4', TARGET: 'vdc' },
      ],
      NIC: [
        { NETWORK: 'lan', NETWORK_ID: '0', IP: '10.0.0.5', MODEL: 'virtio' },
        { NETWORK: 'ether', NETWORK_ID: '1', MAC: '02:00:00:00:00:01', SECURITY_GROUPS: '0,7', DNS: '9.9.9.9' },
      ],
      NIC_ALIAS: [{ NETWORK: 'lan', NETWORK_ID: '0', PARENT: 'NIC1', IP: '10.0.0.6' }],
      CONTEXT: { TARGET: 'hda', NETWORK: 'YES', SSH_PUBLIC_KEY: 'k' },
      GRAPHICS: { TYPE: 'VNC', LISTEN: '0.0.0.0' },
      RAW: { TYPE: 'kvm', DATA: '<x/>' },
      USER_INPUTS: { CPU: 'M|number' },
    });
  });

  it('takes no machine from the USER_TEMPLATE, where its user may write what an administrator would then make', () => {
    const { NIC: _nics, NIC_ALIAS: _aliases, CONTEXT: _context, RAW: _raw, ...bare } = saved.template;
    const forged = {
      NIC: { NETWORK_ID: '99' },
      NIC_ALIAS: [{ NETWORK_ID: '99' }],
      PCI: { TYPE: 'NIC', NETWORK_ID: '99' },
      CONTEXT: { FILES_DS: '$FILE[IMAGE_ID="5"]' },
      RAW: { TYPE: 'kvm', DATA: '<forged/>' },
      VMGROUP: { VMGROUP_ID: '3', ROLE: 'r' },
      TOPOLOGY: { PIN_POLICY: 'CORE' },
      NIC_DEFAULT: { BRIDGE: 'br1' },
      EMULATOR: '/tmp/forged',
      VCPU_MAX: '999',
      TM_MAD_SYSTEM: 'forged',
    };
    const { disks } = saved;
    const vm: Vm = { ...saved, disks, template: bare, userTemplate: { LABELS: 'prod', ...forged } };
    const definition = made({}, vm);
    expect(definition.template).toMatchObject({ LABELS: 'prod', NAME: 'web-restored' });
    for (const name of Object.keys(forged)) {
      expect(definition.template, name).not.toHaveProperty(name);
      const told = definition.changes.filter(({ path }) => path.startsWith(`USER_TEMPLATE/${name}`)).map(({ code }) => code);
      expect(new Set(told), name).toEqual(new Set(['USER_IS_NO_MACHINE']));
    }
  });

  it('says of each attribute that is not what it was why', () => {
    const definition = made();
    expect(definition.changes).toContainEqual({
      path: 'OS/BOOT',
      action: 'replace',
      code: 'BOOT_RENUMBERED',
      before: 'disk3,disk1,nic2',
      after: 'disk1,nic1',
      reason: expect.any(String),
    });
    expect(codesAt(definition, 'NIC/0/MAC')).toEqual(['ADDRESS_FOLLOWS']);
    expect(codesAt(definition, 'NIC/0/DNS')).toEqual(['NIC_FROM_NETWORK']);
    expect(codesAt(definition, 'USER_TEMPLATE/ONEVAULT_RUN')).toEqual(['MARK']);
    expect(codesAt(definition, 'NAME')).toEqual(['NAME_NEW']);
    expect(codesAt(definition, 'USER_TEMPLATE/LABELS')).toEqual([]);
  });

  it('gives cards new addresses, other networks, or none at all, when asked', () => {
    expect(made({ nics: 'new-addresses' }).template['NIC']).toMatchObject([{ NETWORK_ID: '0' }, { NETWORK_ID: '1' }]);
    expect(JSON.stringify(made({ nics: 'new-addresses' }).template)).not.toMatch(/"(IP|MAC)"/);
    const mapped = made({ networks: new Map([['0', { id: 9, name: 'dr' }]]) });
    expect(mapped.template['NIC']).toEqual([{ NETWORK_ID: '9', MODEL: 'virtio' }, expect.objectContaining({ NETWORK_ID: '1', MAC: '02:00:00:00:00:01' })]);
    expect(mapped.template['NIC_ALIAS']).toEqual([{ NETWORK_ID: '9', PARENT: 'NIC1' }]);
    const none = made({ nics: 'none' });
    expect(none.template).not.toHaveProperty('NIC');
    expect(none.template).not.toHaveProperty('NIC_ALIAS');
    expect(none.template['OS']).toEqual({ ARCH: 'x86_64', BOOT: 'disk1' });
    expect(codesAt(none, 'NIC/2')).toEqual(['NICS_NONE']);
  });

  it('keeps the UUID when the original is gone, or when it must', () => {
    expect(made().template['OS']).not.toHaveProperty('UUID');
    expect(made({ facts: { ...facts, originalLives: false } }).template['OS']).toMatchObject({ UUID: 'u' });
    expect(made({ answers: { uuid: 'keep' } }).template['OS']).toMatchObject({ UUID: 'u' });
    expect(made({ facts: { ...facts, originalLives: false }, answers: { uuid: 'new' } }).template['OS']).not.toHaveProperty('UUID');
  });

  it('keeps the old machine type when the VM moves to 7.2 or later, whose default is another', () => {
    expect(made({ targetVersion: '7.4.0' }).template['OS']).toMatchObject({ MACHINE: 'pc' });
    expect(codesAt(made({ targetVersion: '7.4.0' }), 'OS/MACHINE')).toEqual(['MACHINE_PC']);
    expect(made({ savedVersion: '7.4.0', targetVersion: '7.4.0' }).template['OS']).not.toHaveProperty('MACHINE');
    const { OS: _, ...bare } = saved.template;
    expect(made({ targetVersion: '7.4.0' }, { ...saved, template: bare }).template['OS']).toEqual({ MACHINE: 'pc' });
  });

  it('places the VM in the chosen system datastore', () => {
    expect(made({ systemDatastore: 101 }).template['SCHED_DS_REQUIREMENTS']).toBe('ID="101"');
    const asked = { ...saved, userTemplate: { SCHED_DS_REQUIREMENTS: 'ID=1' } };
    expect(made({ systemDatastore: 101 }, asked).changes).toContainEqual(
      expect.objectContaining({ path: 'USER_TEMPLATE/SCHED_DS_REQUIREMENTS', before: 'ID=1', after: 'ID="101"' }),
    );
  });

  it('leaves out what OpenNebula takes from administrators only, and says so', () => {
    const definition = made(
      { facts: { ...facts, restricted: STOCK_RESTRICTED } },
      withTemplate({ PCI: [{ PCI_ID: '0', VENDOR: '10de' }], TOPOLOGY: { PIN_POLICY: 'CORE', SOCKETS: '1' } }),
    );
    for (const path of ['DISK/0/READ_IOPS_SEC', 'NIC/2/MAC', 'RAW/DATA', 'PCI/0', 'TOPOLOGY', 'USER_TEMPLATE/USER_INPUTS/CPU'])
      expect(codesAt(definition, path), path).toEqual(['RESTRICTED']);
    expect(JSON.stringify(definition.template)).not.toMatch(/IOPS|"MAC"|PCI|TOPOLOGY|"DATA"/);
  });

  it('leaves out security groups and the VM group that are gone', () => {
    const vm = withTemplate({ VMGROUP: { VMGROUP_ID: '5', ROLE: 'db' } });
    const definition = made({ facts: { ...facts, goneSecurityGroups: new Set(['7']), goneVmGroups: new Set(['5']) } }, vm);
    expect(definition.template['NIC']).toMatchObject([{}, { SECURITY_GROUPS: '0' }]);
    expect(definition.template).not.toHaveProperty('VMGROUP');
    expect(codesAt(definition, 'VMGROUP')).toEqual(['VM_GROUP_GONE']);
    expect(made({}, vm).template['VMGROUP']).toEqual({ VMGROUP_ID: '5', ROLE: 'db' });
  });

  it('asks for NUMA nodes in the unit OpenNebula takes, and not at all for a VM that is not pinned', () => {
    const numa = { NUMA_NODE: { CPUS: '0,1', MEMORY: '524288', MEMORY_NODE_ID: '0', NODE_ID: '0', TOTAL_CPUS: '2' } };
    const pinned = made({}, withTemplate({ ...numa, TOPOLOGY: { PIN_POLICY: 'CORE', SOCKETS: '1' } }));
    expect(pinned.template['NUMA_NODE']).toEqual({ MEMORY: '512', TOTAL_CPUS: '2' });
    const free = made({}, withTemplate({ ...numa, TOPOLOGY: { PIN_POLICY: 'NONE', SOCKETS: '1', CORES: '2', THREADS: '1', NODE_AFFINITY: '0' } }));
    expect(free.template).not.toHaveProperty('NUMA_NODE');
    expect(free.template['TOPOLOGY']).toMatchObject({ NODE_AFFINITY: '0' });
  });

  it('asks for a PCI device by kind or by address, never by both', () => {
    const vm = withTemplate({
      PCI: [{ PCI_ID: '0', VENDOR: '10de', DEVICE: '1db6', CLASS: '0302', SHORT_ADDRESS: '01:00.0', ADDRESS: '0000:01:00:0', VM_BUS: '0x01' }],
    });
    expect(made({}, vm).template['PCI']).toEqual([{ VENDOR: '10de', DEVICE: '1db6', CLASS: '0302' }]);
    expect(made({ answers: { pci: 'same-address' } }, vm).template['PCI']).toEqual([{ SHORT_ADDRESS: '01:00.0' }]);
    expect(made({ answers: { pci: 'none' } }, vm).template).not.toHaveProperty('PCI');
  });

  it('counts PCI cards behind the NICs and before the aliases', () => {
    const vm = withTemplate({
      PCI: [{ PCI_ID: '0', TYPE: 'NIC', NIC_ID: '1', NETWORK_ID: '0', IP: '10.0.0.9', VENDOR: '8086', NAME: 'NIC1' }],
      NIC_ALIAS: [{ NIC_ID: '4', PARENT: 'NIC1', NETWORK_ID: '0' }],
    });
    expect(made({}, vm).template['NIC_ALIAS']).toEqual([{ NETWORK_ID: '0', PARENT: 'NIC2' }]);
    expect(made({}, vm).template['PCI']).toEqual([{ TYPE: 'NIC', NETWORK_ID: '0', IP: '10.0.0.9', VENDOR: '8086' }]);
  });

  it('does not carry over what the original was to be done to', () => {
    const vm = withTemplate({ SCHED_ACTION: { ACTION: 'terminate', TIME: '1', ID: '0', DONE: '' } });
    expect(made({}, vm).template).not.toHaveProperty('SCHED_ACTION');
    expect(made({ answers: { 'sched-actions': 'keep' } }, vm).template['SCHED_ACTION']).toEqual({ ACTION: 'terminate', TIME: '1' });
  });

  it('carries settings of native backups, not their history, and numbers their disks anew', () => {
    const vm: Vm = { ...saved, backupConfig: { KEEP_LAST: '4', MODE: 'FULL', LAST_BACKUP_ID: '9', DISK_IDS: '0,3' } };
    expect(made({}, vm).template['BACKUP_CONFIG']).toEqual({ KEEP_LAST: '4', MODE: 'FULL', DISK_IDS: '0,1' });
  });

  it('finds the files of the context by where they lie, and leaves out those that are gone', () => {
    const vm = withTemplate({ CONTEXT: { FILES_DS: "/ds/2/aa:'init.sh' /ds/2/bb:'key' " } });
    const definition = made({ facts: { ...facts, contextFiles: new Map([['/ds/2/aa', 12]]) } }, vm);
    expect(definition.template['CONTEXT']).toEqual({ FILES_DS: '$FILE[IMAGE_ID="12"]' });
  });

  it('keeps what it does not know, and names it', () => {
    const definition = made({}, withTemplate({ FUTURE: 'x', OS: { ARCH: 'x86_64' }, VIDEO: { TYPE: 'virtio' } }));
    expect(definition.template).toMatchObject({ FUTURE: 'x', VIDEO: { TYPE: 'virtio' } });
    expect(codesAt(definition, 'FUTURE')).toEqual(['UNKNOWN']);
  });

  it('names what no template carries: the variables of a firmware, the contents of a TPM', () => {
    const definition = made({}, withTemplate({ TPM: { MODEL: 'tpm-crb' }, OS: { FIRMWARE: 'UEFI', FIRMWARE_SECURE: 'YES' } }));
    expect(definition.template).toMatchObject({ TPM: { MODEL: 'tpm-crb' }, OS: { FIRMWARE: 'UEFI', FIRMWARE_SECURE: 'YES' } });
    expect(codesAt(definition, 'TPM/MODEL')).toEqual(['TPM_EMPTY']);
    expect(codesAt(definition, 'OS/FIRMWARE')).toEqual(['NVRAM_FRESH']);
    expect(codesAt(made({}, withTemplate({ OS: { FIRMWARE: 'BIOS' } })), 'OS/FIRMWARE')).toEqual([]);
  });

  it('knows every attribute of this VM', () => {
    expect(made().changes.filter(({ code }) => code === 'UNKNOWN')).toEqual([]);
  });

  it('never says a secret', () => {
    const definition = made({}, withTemplate({ GRAPHICS: { RANDOM_PASSWD: 'YES', PASSWD: 'hunter2' }, VROUTER_KEEPALIVED_PASSWORD: 'hunter2' }));
    expect(JSON.stringify(definition.changes)).not.toContain('hunter2');
    expect(definition.changes).toContainEqual(expect.objectContaining({ path: 'GRAPHICS/PASSWD', secret: true }));
  });

  it('lays what was asked for over everything of its name', () => {
    const definition = made({ attributes: { LABELS: 'drill', OS: { ARCH: 'x86_64', BOOT: 'disk0' } } });
    expect(definition.template).toMatchObject({ LABELS: 'drill', OS: { ARCH: 'x86_64', BOOT: 'disk0' } });
    expect(codesAt(definition, 'USER_TEMPLATE/LABELS')).toEqual(['WISHED']);
    expect(codesAt(definition, 'OS')).toEqual(['WISHED']);
  });

  it.each([
    ['6.10.5', '7.0.2', -1],
    ['7.2', '7.2.0', 0],
    ['7.10.0', '7.9', 1],
  ])('compares %s with %s', (a, b, sign) => {
    expect(Math.sign(compareVersions(a, b))).toBe(sign);
  });
});
