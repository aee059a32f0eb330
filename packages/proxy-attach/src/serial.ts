/**
 * The serial is how a disk is recognised on both sides: OpenNebula passes DISK/SERIAL to libvirt on hot-attach (7.0.2 and later) after removing
 * what is not [0-9A-Za-z-._], and a virtio-blk guest sees at most 20 characters of it (vmm/kvm/attach_disk; virtio spec 5.2.6, GET_ID).
 */
export const SERIAL_MAX_LENGTH = 20;

const PREFIX = 'ov-';
/** 80 bits: 16 characters, 19 with the prefix; a collision inside one cloud is out of the question. */
const RANDOM_BYTES = 10;
/** base32hex of RFC 4648 section 7, in lower case: survives every case-insensitive tool on the way. */
const ALPHABET = '0123456789abcdefghijklmnopqrstuv';
const OWN_SERIAL = /^ov-[0-9a-v]{16}$/;

/** A new serial for one attachment. `randomBytes` must be cryptographically strong (node:crypto `randomBytes`). */
export function newSerial(randomBytes: (length: number) => Uint8Array): string {
  const bytes = randomBytes(RANDOM_BYTES);
  if (bytes.length !== RANDOM_BYTES) throw new RangeError(`asked for ${RANDOM_BYTES} random bytes, got ${bytes.length}`);
  let text = PREFIX;
  let bits = 0;
  let bitCount = 0;
  for (const byte of bytes) {
    bits = (bits << 8) | byte;
    for (bitCount += 8; bitCount >= 5; bitCount -= 5) text += ALPHABET[(bits >>> (bitCount - 5)) & 31];
    bits &= (1 << bitCount) - 1;
  }
  return text;
}

/** True for exactly what `newSerial` makes. */
export function isOwnSerial(text: string): boolean {
  return OWN_SERIAL.test(text);
}

/** One of our serials as a device or a VM body shows it (padded with blanks or NULs), or undefined when it is somebody else's or none. */
export function parseSerial(text: string | undefined): string | undefined {
  const serial = text === undefined ? '' : trimSerial(text);
  return isOwnSerial(serial) ? serial : undefined;
}

/** Devices pad their serial to a fixed width: virtio with NULs, NVMe and SCSI with blanks. */
export function trimSerial(text: string): string {
  return text.replace(/^[\s\0]+|[\s\0]+$/g, '');
}
