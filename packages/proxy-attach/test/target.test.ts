import { describe, expect, it } from 'vitest';
import { freeTarget, MAX_ATTACHMENTS, type ProxyVmView, type SysfsDisk } from '../src/index.ts';

const OWN = 'ov-1234567890abcdef';

function proxy(disks: readonly (readonly [target: string, serial?: string])[], context?: string): ProxyVmView {
  return {
    state: 3,
    lcmState: 3,
    error: undefined,
    disks: disks.map(([target, serial], diskId) => ({ diskId, imageId: diskId, target, serial, sizeMiB: 1 })),
    contextDisk: context === undefined ? undefined : { target: context },
  };
}

describe('freeTarget', () => {
  it('takes the first letter that no DISK and no CONTEXT has', () => {
    expect(freeTarget(proxy([['vda']], 'hda'), 'vd')).toBe('vdb');
    expect(freeTarget(proxy([['vda'], ['vdb', OWN], ['vdd', OWN]], 'hda'), 'vd')).toBe('vdc');
    expect(freeTarget(proxy([['vda'], ['vdb', OWN]], 'vdc'), 'vd')).toBe('vdd');
  });

  it("skips the letters of the proxy's own disks under another prefix too", () => {
    expect(freeTarget(proxy([['vda'], ['vdz']], 'sdy'), 'sd')).toBe('sdx');
    expect(freeTarget(proxy([['hda']], 'hdb'), 'vd')).toBe('vdc');
  });

  it('lets our disks of the other bus take nothing but their own TARGET', () => {
    expect(freeTarget(proxy([['vda'], ['vdz', OWN]]), 'sd')).toBe('sdz');
  });

  it('passes over targets that OpenNebula refused', () => {
    expect(freeTarget(proxy([['vda']]), 'vd', { refused: new Set(['vdb', 'vdc']) })).toBe('vdd');
  });

  it('ignores two-letter targets, which share no address with one letter', () => {
    expect(freeTarget(proxy([['sdaa']]), 'sd')).toBe('sdz');
  });

  it('passes over SCSI addresses where the guest has a device, whatever OpenNebula lists, but not over those of another adapter', () => {
    const at = (target: number, driver = 'virtio_scsi'): SysfsDisk => ({
      name: 'sda',
      devicePath: '/dev/sda',
      serial: undefined,
      sizeBytes: 512,
      readOnly: false,
      holders: [],
      scsi: { host: 2, channel: 0, target, lun: 0, driver },
      sequence: undefined,
      writtenSectors: 0,
    });
    expect(freeTarget(proxy([['vda']]), 'sd', { devices: [at(25), at(24)] })).toBe('sdx');
    expect(freeTarget(proxy([['vda']]), 'sd', { devices: [at(25, 'ahci')] })).toBe('sdz');
    expect(freeTarget(proxy([['vda']]), 'vd', { devices: [at(1)] })).toBe('vdb');
  });

  it('stays within a to z', () => {
    const letters = [...'abcdefghijklmnopqrstuvwxyz'];
    const all = letters.map((letter) => [`sd${letter}`] as const);
    expect(freeTarget(proxy(all.slice(0, 25)), 'sd')).toBe('sdz');
    expect(freeTarget(proxy(all.slice(1)), 'sd')).toBe('sda');
    expect(() => freeTarget(proxy(all), 'sd')).toThrow(expect.objectContaining({ code: 'ATTACH_NO_FREE_TARGET', hint: expect.any(String) }));
  });

  it('plugs only so many disks of ours into one proxy VM', () => {
    const letters = [...'abcdefghijklmnopqrstuvwxyz'].slice(0, MAX_ATTACHMENTS);
    const ours = letters.map((letter) => [`sd${letter}`, OWN] as const);
    expect(MAX_ATTACHMENTS).toBeLessThan(20);
    expect(freeTarget(proxy(ours.slice(1)), 'sd')).toBe('sdz');
    expect(() => freeTarget(proxy(ours), 'sd')).toThrow(expect.objectContaining({ code: 'ATTACH_PROXY_FULL', retryable: true }));
  });
});
