import type { SysfsDisk } from './attach-api.ts';
import { parseSerial } from './serial.ts';

export interface ExpectedDevice {
  /** From `newSerial`; any other is never matched. */
  readonly serial: string;
  readonly sizeBytes: number;
  /** The device may be this much smaller, never larger: OpenNebula rounds the SIZE of an image up to whole MiB. */
  readonly sizeToleranceBytes?: number;
  /** true: must refuse writes; false: must accept them; absent: not judged. */
  readonly readOnly?: boolean;
}

export type DeviceMatch =
  | { readonly kind: 'found'; readonly disk: SysfsDisk }
  | { readonly kind: 'absent' }
  | { readonly kind: 'ambiguous'; readonly disks: readonly SysfsDisk[] }
  | { readonly kind: 'wrong-size'; readonly disk: SysfsDisk }
  | { readonly kind: 'in-use'; readonly disk: SysfsDisk }
  | { readonly kind: 'writable-but-should-be-read-only'; readonly disk: SysfsDisk }
  | { readonly kind: 'read-only-but-should-be-writable'; readonly disk: SysfsDisk };

/**
 * The device of one attachment, by serial and nothing else: names and order of appearance say nothing (the guest's name and TARGET are unrelated),
 * and a wrong guess would read or overwrite another VM's disk. Every doubt is its own verdict.
 */
export function findDevice(disks: readonly SysfsDisk[], expected: ExpectedDevice): DeviceMatch {
  const serial = parseSerial(expected.serial);
  if (serial === undefined) return { kind: 'absent' };
  const [disk, ...others] = disks.filter((candidate) => parseSerial(candidate.serial) === serial);
  if (disk === undefined) return { kind: 'absent' };
  if (others.length > 0) return { kind: 'ambiguous', disks: [disk, ...others] };
  if (!sizeFits(disk.sizeBytes, expected)) return { kind: 'wrong-size', disk };
  if (disk.holders.length > 0) return { kind: 'in-use', disk };
  if (expected.readOnly === true && !disk.readOnly) return { kind: 'writable-but-should-be-read-only', disk };
  if (expected.readOnly === false && disk.readOnly) return { kind: 'read-only-but-should-be-writable', disk };
  return { kind: 'found', disk };
}

function sizeFits(actualBytes: number, expected: ExpectedDevice): boolean {
  const missing = expected.sizeBytes - actualBytes;
  return missing >= 0 && missing <= (expected.sizeToleranceBytes ?? 0);
}
