import { describe, expect, it } from 'vitest';
import { type ExportDevice, exportDisk } from '../src/index.ts';
import { memorySource } from '../testing/index.ts';
import { MIB, noise } from './disks.ts';

interface MemoryDevice extends ExportDevice {
  readonly memory: Buffer;
  readonly writes: { readonly offset: number; readonly length: number }[];
  flushed: boolean;
}

function memoryDevice(memory: Buffer, spoil = (): void => undefined): MemoryDevice {
  const writes: { offset: number; length: number }[] = [];
  return {
    path: '/dev/example',
    sizeBytes: memory.length,
    memory,
    writes,
    flushed: false,
    readInto: async (offset, target) => void target.set(memory.subarray(offset, offset + target.length)),
    async writeFrom(offset, data) {
      memory.set(data, offset);
      writes.push({ offset, length: data.length });
    },
    async flush() {
      this.flushed = true;
      spoil();
    },
  };
}

describe('to a block device', () => {
  const source = memorySource([{ offset: MIB, data: noise(1, MIB) }], { sizeBytes: 4 * MIB, blockSizeBytes: MIB });

  it('overwrites what was there, writes zeros only where there are none, and leaves what is behind the disk', async () => {
    const memory = Buffer.alloc(6 * MIB);
    memory.fill(7, 3 * MIB); // the last MiB of the disk, and the device behind it
    const device = memoryDevice(memory);
    const { writtenBytes } = await exportDisk(source, { kind: 'device', device }, { verify: true });
    expect(memory.subarray(0, 4 * MIB).equals(source.bytes())).toBe(true);
    expect(memory.subarray(4 * MIB).every((byte) => byte === 7)).toBe(true);
    expect(writtenBytes).toBe(2 * MIB);
    expect(device.writes.every(({ offset }) => offset >= MIB)).toBe(true);
    expect(device.flushed).toBe(true);
  });

  it('refuses one that is smaller than the disk, before it writes', async () => {
    const device = memoryDevice(Buffer.alloc(4 * MIB - 512));
    await expect(exportDisk(source, { kind: 'device', device })).rejects.toMatchObject({ code: 'EXPORT_DEVICE_SMALL' });
    expect(device.writes).toEqual([]);
  });

  it('refuses to put an image on it', async () => {
    const exporting = exportDisk(source, { kind: 'device', device: memoryDevice(Buffer.alloc(8 * MIB)) }, { format: { kind: 'qcow2' } });
    await expect(exporting).rejects.toMatchObject({ code: 'EXPORT_FORMAT_INVALID' });
  });

  it('notices when it does not read back', async () => {
    const memory = Buffer.alloc(4 * MIB);
    const device = memoryDevice(memory, () => {
      memory[MIB + 5] = (memory[MIB + 5] ?? 0) ^ 1;
    });
    const exporting = exportDisk(source, { kind: 'device', device }, { verify: true });
    await expect(exporting).rejects.toMatchObject({ code: 'EXPORT_MISMATCH', details: { path: '/dev/example', offset: MIB } });
  });
});
