import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { captureName } from '../../src/names.ts';
import { formatSetName, isCaptureName, isValidLabel, parseSetName } from '../../src/snapshots/set-name.ts';

const setId = '20261127t194200-k3f9ab';
const name = { label: 'before-upgrade', setId, vmId: 6, diskId: 0, disks: [0, 1] };
const text = 'before-upgrade@onevault-set-20261127t194200-k3f9ab-vm6-disk0of0.1';

describe('the name of a snapshot of a set', () => {
  it('says which set, of which VM, which disk and which others', () => {
    expect(formatSetName(name)).toBe(text);
    expect(parseSetName(text)).toEqual(name);
    const bare = { ...name, label: undefined };
    expect(parseSetName(formatSetName(bare))).toEqual(bare);
  });

  it('reads back as it was written, whatever the label', () => {
    const disks = fc.uniqueArray(fc.nat(40), { minLength: 1, maxLength: 6 }).map((ids) => ids.sort((a, b) => a - b));
    const label = fc.option(fc.string({ minLength: 1, maxLength: 64 }).filter(isValidLabel), { nil: undefined });
    fc.assert(
      fc.property(label, disks, fc.nat(5), fc.nat(100_000), (given, all, at, vmId) => {
        const made = { label: given, setId, vmId, diskId: all[at % all.length] ?? 0, disks: all };
        expect(parseSetName(formatSetName(made))).toEqual(made);
      }),
    );
  });

  it.each([
    'onevault-set-20261127t194200-k3f9ab',
    'onevault-set-20261127t194200-k3f9ab-vm6-disk2of0.1',
    'onevault-set-20261127t194200-k3f9ab-vm6-disk0of1.0',
    'onevault-set-20261127t194200-k3f9ab-vm06-disk0of0.1',
    'onevault-set-20261127t194200-k3f9ab-vm6-disk0of0.1 (copy)',
    'onevault-set-20261127T194200-K3F9AB-vm6-disk0of0.1',
    'x@y@onevault-set-20261127t194200-k3f9a-vm6-disk0of0.1',
    'onevault-@onevault-set-20261127t194200-k3f9ab-vm6-disk0of0.1',
    'onevault-20261127t194200-k3f9ab-vm6-disk0',
    '',
  ])('is not %j, however alike', (other) => {
    expect(parseSetName(other)).toBeUndefined();
  });

  it('is told from that of a backup, which is temporary', () => {
    expect(isCaptureName(captureName(setId, 6, 0))).toBe(true);
    expect(isCaptureName(text)).toBe(false);
    expect(isCaptureName('onevault-nightly')).toBe(false);
  });

  it.each(['latest', 'onevault-x', ' x', 'x:y', 'a'.repeat(65), 'x@onevault-set-1', ''])('takes no label like %j', (label) => {
    expect(isValidLabel(label)).toBe(false);
  });
});
