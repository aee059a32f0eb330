import { describe, expect, it } from 'vitest';
import { freeTarget, type ProxyVmView } from '../src/index.ts';

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
    expect(freeTarget(proxy([['vda'], ['vdc']], 'sdb'), 'sd')).toBe('sdd');
    expect(freeTarget(proxy([['hda']], 'hdb'), 'vd')).toBe('vdc');
  });

  it('lets our disks of the other bus take nothing but their own TARGET', () => {
    expect(freeTarget(proxy([['vda'], ['vdb', OWN]]), 'sd')).toBe('sdb');
  });

  it('passes over targets that OpenNebula refused', () => {
    expect(freeTarget(proxy([['vda']]), 'vd', new Set(['vdb', 'vdc']))).toBe('vdd');
  });

  it('ignores two-letter targets, which share no address with one letter', () => {
    expect(freeTarget(proxy([['sdaa']]), 'sd')).toBe('sda');
  });

  it('stays within a to z', () => {
    const letters = [...'abcdefghijklmnopqrstuvwxyz'];
    const all = letters.map((letter) => [`sd${letter}`, OWN] as const);
    expect(freeTarget(proxy(all.slice(0, 25)), 'sd')).toBe('sdz');
    expect(() => freeTarget(proxy(all), 'sd')).toThrow(expect.objectContaining({ code: 'ATTACH_NO_FREE_TARGET', hint: expect.any(String) }));
  });
});
