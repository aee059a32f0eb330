import { describe, expect, it } from 'vitest';
import { chooseIdentification, findDevice, type ScsiAddress, type SysfsDisk } from '../src/index.ts';

const SERIAL = 'ov-1234567890abcdef';
const OTHER_SERIAL = 'ov-0000000000000000';
const MIB = 1024 ** 2;
const disk = (facts: Partial<SysfsDisk> = {}): SysfsDisk => ({
  name: 'vdb',
  devicePath: '/dev/vdb',
  serial: SERIAL,
  sizeBytes: 33 * MIB,
  readOnly: true,
  holders: [],
  scsi: undefined,
  sequence: 9,
  writtenSectors: 0,
  ...facts,
});
const expected = { serial: SERIAL, target: 'vdq', sizeBytes: 33 * MIB, readOnly: true };
const kindOf = (...args: Parameters<typeof findDevice>): string => findDevice(...args).kind;

describe('findDevice by serial (bus vd, 7.0.2 and later)', () => {
  const how = chooseIdentification('7.0.2');

  it('finds the device that carries the serial and has the size, whatever its name and TARGET', () => {
    expect(findDevice([disk({ serial: undefined, name: 'vda' }), disk()], [], expected, how)).toEqual({ kind: 'found', disk: disk(), by: 'serial' });
  });

  it('is absent when nothing carries the serial, whatever has come with the right size', () => {
    expect(kindOf([], [], expected, how)).toBe('absent');
    const strangers = [undefined, '', 'drive-scsi0-0-10-0', OTHER_SERIAL].map((serial) => disk({ serial }));
    expect(kindOf(strangers, [], expected, how)).toBe('absent');
    expect(kindOf([disk({ serial: undefined })], [], expected, { ...how, byDifference: true })).toBe('absent');
  });

  it.each(['', ' ', 'drive-scsi0-0-10-0', 'ov8abc'])('never matches the foreign or empty serial "%s", even when a device has it', (serial) => {
    expect(kindOf([disk({ serial })], [], { ...expected, serial }, how)).toBe('absent');
  });

  it('is ambiguous when two devices carry the serial, even if only one has the size', () => {
    const twin = disk({ name: 'vdc', sizeBytes: 1 });
    expect(findDevice([disk(), twin], [], expected, how)).toEqual({ kind: 'ambiguous', disks: [disk(), twin] });
  });

  it('wants the exact size, or one that is smaller by the tolerance, never larger', () => {
    expect(kindOf([disk({ sizeBytes: 33 * MIB - 512 })], [], expected, how)).toBe('wrong-size');
    expect(kindOf([disk({ sizeBytes: 33 * MIB + 512 })], [], expected, how)).toBe('wrong-size');
    const tolerant = { ...expected, sizeToleranceBytes: MIB };
    expect(kindOf([disk({ sizeBytes: 32 * MIB })], [], tolerant, how)).toBe('found');
    expect(kindOf([disk({ sizeBytes: 32 * MIB - 512 })], [], tolerant, how)).toBe('wrong-size');
    expect(kindOf([disk({ sizeBytes: 33 * MIB + 512 })], [], tolerant, how)).toBe('wrong-size');
  });

  it('is in use when something holds it', () => {
    expect(kindOf([disk({ holders: ['dm-0'] })], [], expected, how)).toBe('in-use');
  });

  it('must be as writable as asked', () => {
    expect(kindOf([disk({ readOnly: false })], [], expected, how)).toBe('writable-but-should-be-read-only');
    expect(kindOf([disk({ readOnly: true })], [], { ...expected, readOnly: false }, how)).toBe('read-only-but-should-be-writable');
    expect(kindOf([disk({ readOnly: false })], [], { ...expected, readOnly: false }, how)).toBe('found');
  });

  it('needs no count of writes: the serial is proof enough', () => {
    expect(kindOf([disk({ writtenSectors: 8 })], [], expected, how)).toBe('found');
  });
});

const at = (facts: Partial<ScsiAddress> = {}): ScsiAddress => ({ host: 2, channel: 0, target: 10, lun: 0, driver: 'virtio_scsi', ...facts });
const scsiDisk = (facts: Partial<SysfsDisk> = {}): SysfsDisk => disk({ name: 'sda', devicePath: '/dev/sda', scsi: at(), ...facts });
const onSd = { ...expected, target: 'sdk' };

describe('findDevice by SCSI address (bus sd, all versions)', () => {
  const how = chooseIdentification('6.10.5');

  it('finds the device at the target that the letter stands for, with no serial or the one that QEMU makes up from the address', () => {
    for (const serial of [undefined, 'drive-scsi0-0-10-0']) {
      expect(findDevice([scsiDisk({ serial })], [], onSd, how)).toEqual({ kind: 'found', disk: scsiDisk({ serial }), by: 'scsi' });
    }
  });

  it('says so when our serial is there as well', () => {
    expect(findDevice([scsiDisk()], [], onSd, how)).toMatchObject({ kind: 'found', by: 'serial+scsi' });
  });

  it.each<{ readonly title: string; readonly scsi: ScsiAddress | undefined }>([
    { title: 'another target', scsi: at({ target: 11 }) },
    { title: 'another channel', scsi: at({ channel: 1 }) },
    { title: 'another LUN', scsi: at({ lun: 1 }) },
    { title: 'a SATA adapter', scsi: at({ driver: 'ahci' }) },
    { title: 'an adapter whose driver is not known', scsi: at({ driver: undefined }) },
    { title: 'no SCSI bus', scsi: undefined },
  ])('does not take a device at $title', ({ scsi }) => {
    expect(kindOf([scsiDisk({ scsi, serial: undefined })], [], onSd, how)).toBe('absent');
    expect(kindOf([scsiDisk({ scsi })], [], onSd, how)).toBe('conflict');
  });

  it('does not take a device that was there before', () => {
    expect(kindOf([scsiDisk({ serial: undefined })], [scsiDisk({ serial: undefined })], onSd, how)).toBe('absent');
    expect(kindOf([scsiDisk({ serial: undefined, sequence: 10 })], [scsiDisk({ serial: undefined, sequence: 9 })], onSd, how)).toBe('found');
  });

  it('is ambiguous when two virtio-scsi adapters show a device there', () => {
    const second = scsiDisk({ name: 'sdb', scsi: at({ host: 3 }), serial: undefined });
    expect(kindOf([scsiDisk({ serial: undefined }), second], [], onSd, how)).toBe('ambiguous');
  });

  it('is a conflict when the device carries the serial of another attachment, or one made up from another address', () => {
    expect(kindOf([scsiDisk({ serial: OTHER_SERIAL })], [], onSd, how)).toBe('conflict');
    expect(kindOf([scsiDisk({ serial: 'drive-scsi0-0-9-0' })], [], onSd, how)).toBe('conflict');
  });

  it('knows no address for two letters: 6.10 would give sdaa the one of sda', () => {
    expect(kindOf([scsiDisk({ serial: undefined, scsi: at({ target: 0 }) })], [], { ...onSd, target: 'sdaa' }, how)).toBe('absent');
  });

  it('wants size and no user as well', () => {
    expect(kindOf([scsiDisk({ serial: undefined, sizeBytes: 512 })], [], onSd, how)).toBe('wrong-size');
    expect(kindOf([scsiDisk({ serial: undefined, holders: ['/mnt'] })], [], onSd, how)).toBe('in-use');
  });
});

describe('findDevice by serial and SCSI address (bus sd, 7.0.2 and later)', () => {
  const how = chooseIdentification('7.4.0', { bus: 'sd' });

  it('wants both to name the same device', () => {
    expect(findDevice([scsiDisk()], [], onSd, how)).toMatchObject({ kind: 'found', by: 'serial+scsi' });
    expect(kindOf([scsiDisk({ serial: undefined })], [], onSd, how)).toBe('conflict');
    expect(kindOf([scsiDisk({ serial: 'drive-scsi0-0-10-0' })], [], onSd, how)).toBe('conflict');
    expect(kindOf([scsiDisk({ scsi: at({ target: 3 }) })], [], onSd, how)).toBe('conflict');
    expect(kindOf([scsiDisk({ serial: undefined }), scsiDisk({ name: 'sdb', scsi: at({ target: 3 }) })], [], onSd, how)).toBe('conflict');
  });
});

describe('findDevice by difference (bus vd before 7.0.2, when allowed)', () => {
  const how = chooseIdentification('6.10.5', { bus: 'vd', byDifference: true });
  const old = disk({ name: 'vda', serial: undefined, sequence: 1, sizeBytes: 1 });
  const came = disk({ serial: undefined });

  it('takes the one disk that came', () => {
    expect(findDevice([old, came], [old], expected, how)).toEqual({ kind: 'found', disk: came, by: 'difference' });
  });

  it('takes nothing when it is not allowed', () => {
    expect(kindOf([old, came], [old], expected, chooseIdentification('6.10.5', { bus: 'vd' }))).toBe('absent');
  });

  it('is ambiguous when two came, even if only one has the size', () => {
    expect(kindOf([old, came, disk({ name: 'vdc', serial: undefined, sizeBytes: 1 })], [old], expected, how)).toBe('ambiguous');
  });

  it('is a conflict when what came is no virtio disk, or has a serial', () => {
    expect(kindOf([old, disk({ name: 'sda', serial: undefined, scsi: at() })], [old], expected, how)).toBe('conflict');
    expect(kindOf([old, disk({ name: 'nvme0n1', serial: undefined })], [old], expected, how)).toBe('conflict');
    expect(kindOf([old, disk({ serial: OTHER_SERIAL })], [old], expected, how)).toBe('conflict');
  });

  it('does not take a disk that was written to, or of which that is not known', () => {
    expect(kindOf([old, disk({ serial: undefined, writtenSectors: 8 })], [old], expected, how)).toBe('written');
    expect(kindOf([old, disk({ serial: undefined, writtenSectors: undefined })], [old], expected, how)).toBe('written');
  });

  it('sees that a name has passed to another disk', () => {
    expect(kindOf([old, came], [old, disk({ serial: undefined, sequence: 8 })], expected, how)).toBe('found');
  });
});
