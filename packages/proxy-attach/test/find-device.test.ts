import { describe, expect, it } from 'vitest';
import { findDevice, type SysfsDisk } from '../src/index.ts';

const SERIAL = 'ov-1234567890abcdef';
const MIB = 1024 ** 2;
const disk = (facts: Partial<SysfsDisk> = {}): SysfsDisk => ({
  name: 'vdb',
  devicePath: '/dev/vdb',
  serial: SERIAL,
  sizeBytes: 33 * MIB,
  readOnly: true,
  holders: [],
  ...facts,
});
const expected = { serial: SERIAL, sizeBytes: 33 * MIB };

describe('findDevice', () => {
  it('finds the device that carries the serial and has the size', () => {
    expect(findDevice([disk({ serial: undefined, name: 'vda' }), disk()], expected)).toEqual({ kind: 'found', disk: disk() });
  });

  it('is absent when nothing carries the serial, whatever has the right size', () => {
    expect(findDevice([], expected).kind).toBe('absent');
    expect(
      findDevice([disk({ serial: undefined }), disk({ serial: '' }), disk({ serial: 'drive-scsi0-0-10-0' }), disk({ serial: 'ov-0000000000000000' })], expected)
        .kind,
    ).toBe('absent');
  });

  it.each(['', ' ', 'drive-scsi0-0-10-0', 'ov8abc'])('never matches the foreign or empty serial "%s", even when a device has it', (serial) => {
    expect(findDevice([disk({ serial })], { ...expected, serial }).kind).toBe('absent');
  });

  it('is ambiguous when two devices carry the serial, even if only one has the size', () => {
    const twin = disk({ name: 'vdc', sizeBytes: 1 });
    expect(findDevice([disk(), twin], expected)).toEqual({ kind: 'ambiguous', disks: [disk(), twin] });
  });

  it('wants the exact size', () => {
    expect(findDevice([disk({ sizeBytes: 33 * MIB - 512 })], expected).kind).toBe('wrong-size');
    expect(findDevice([disk({ sizeBytes: 33 * MIB + 512 })], expected).kind).toBe('wrong-size');
  });

  it('tolerates a device that is smaller by the tolerance, never a larger one', () => {
    const tolerant = { ...expected, sizeToleranceBytes: MIB };
    expect(findDevice([disk({ sizeBytes: 32 * MIB })], tolerant).kind).toBe('found');
    expect(findDevice([disk({ sizeBytes: 32 * MIB - 512 })], tolerant).kind).toBe('wrong-size');
    expect(findDevice([disk({ sizeBytes: 33 * MIB + 512 })], tolerant).kind).toBe('wrong-size');
  });

  it('is in use when something holds it', () => {
    expect(findDevice([disk({ holders: ['dm-0'] })], expected).kind).toBe('in-use');
  });

  it('judges whether it can be written only when asked to', () => {
    expect(findDevice([disk({ readOnly: false })], { ...expected, readOnly: true }).kind).toBe('writable-but-should-be-read-only');
    expect(findDevice([disk({ readOnly: true })], { ...expected, readOnly: false }).kind).toBe('read-only-but-should-be-writable');
    expect(findDevice([disk({ readOnly: false })], { ...expected, readOnly: false }).kind).toBe('found');
    expect(findDevice([disk({ readOnly: false })], expected).kind).toBe('found');
  });
});
