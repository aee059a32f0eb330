import { diskId, type Vm } from '@onevault/one-client';
import { describe, expect, it } from 'vitest';
import { compareVersions, type DefinitionRequest, newDefinition } from '../src/definition.ts';
import { buildDisk, buildVm } from '../testing/index.ts';

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
      },
    }),
    buildDisk({
      diskId: diskId(2),
      imageId: undefined,
      type: 'fs',
      attributes: { TYPE: 'fs', SIZE: '8', FORMAT: 'raw', FS: 'ext4', TARGET: 'vdc', DISK_ID: '2', TM_MAD: 'qcow2' },
    }),
  ],
  template: {
    CPU: '1',
    MEMORY: '512',
    VMID: '6',
    TEMPLATE_ID: '4',
    AUTOMATIC_REQUIREMENTS: 'x',
    OS: { ARCH: 'x86_64', UUID: 'u' },
    NIC: { NETWORK: 'lan', NETWORK_ID: '0', NIC_ID: '0', IP: '10.0.0.5', MAC: '02:00:0a:00:00:05', BRIDGE: 'br0', MODEL: 'virtio' },
    CONTEXT: { DISK_ID: '3', TARGET: 'hda', NETWORK: 'YES', ETH0_IP: '10.0.0.5', SSH_PUBLIC_KEY: 'k' },
    GRAPHICS: { TYPE: 'VNC', PORT: '5906', LISTEN: '0.0.0.0' },
  },
  userTemplate: { LABELS: 'prod', ERROR: 'old', SCHED_MESSAGE: 'old', ONEVAULT_RUN: 'old' },
});

const request: DefinitionRequest = {
  name: 'web-restored',
  disks: [
    { diskId: 0, imageId: 77 },
    { diskId: 2, volatile: { sizeMiB: 8, type: 'fs', format: 'raw' } },
  ],
  nics: 'keep',
  systemDatastore: undefined,
  marks: { ONEVAULT_RUN: 'r1' },
  savedVersion: '7.0.2',
  targetVersion: '7.0.2',
};

describe('definition of the new VM', () => {
  it('keeps what is the VM and drops what belongs to the old one', () => {
    expect(newDefinition(saved, request)).toEqual({
      CPU: '1',
      MEMORY: '512',
      LABELS: 'prod',
      NAME: 'web-restored',
      ONEVAULT_RUN: 'r1',
      OS: { ARCH: 'x86_64' },
      DISK: [
        { IMAGE_ID: '77', TARGET: 'vda', DEV_PREFIX: 'vd', CACHE: 'none' },
        { TYPE: 'fs', SIZE: '8', FORMAT: 'raw', FS: 'ext4', TARGET: 'vdc' },
      ],
      NIC: [{ NETWORK: 'lan', NETWORK_ID: '0', IP: '10.0.0.5', MODEL: 'virtio' }],
      CONTEXT: { NETWORK: 'YES', SSH_PUBLIC_KEY: 'k' },
      GRAPHICS: { TYPE: 'VNC', LISTEN: '0.0.0.0' },
    });
  });

  it('gives NICs new addresses, or none at all, when asked', () => {
    expect(newDefinition(saved, { ...request, nics: 'new-addresses' })['NIC']).toEqual([{ NETWORK: 'lan', NETWORK_ID: '0', MODEL: 'virtio' }]);
    expect(newDefinition(saved, { ...request, nics: 'none' })).not.toHaveProperty('NIC');
  });

  it('keeps the old machine type when the VM moves to 7.2 or later, whose default is another', () => {
    expect(newDefinition(saved, { ...request, targetVersion: '7.4.0' })['OS']).toEqual({ ARCH: 'x86_64', MACHINE: 'pc' });
    expect(newDefinition(saved, { ...request, savedVersion: '7.4.0', targetVersion: '7.4.0' })['OS']).toEqual({ ARCH: 'x86_64' });
  });

  it('places the VM in the chosen system datastore', () => {
    expect(newDefinition(saved, { ...request, systemDatastore: 101 })['SCHED_DS_REQUIREMENTS']).toBe('ID="101"');
  });

  it.each([
    ['6.10.5', '7.0.2', -1],
    ['7.2', '7.2.0', 0],
    ['7.10.0', '7.9', 1],
  ])('compares %s with %s', (a, b, sign) => {
    expect(Math.sign(compareVersions(a, b))).toBe(sign);
  });
});
