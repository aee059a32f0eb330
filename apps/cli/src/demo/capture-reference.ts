import { constants } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stage } from './stage.ts';

/** What a disk held at the moment of a backup, kept apart from everything the product touches. */
export interface Reference {
  readonly diskId: number;
  readonly path: string;
}

/** Copies the guest's disks as they are now; nothing writes to them between this and the capture that follows. */
export async function captureReference(stage: Stage, vmId: number, disks: readonly number[], label: string): Promise<Reference[]> {
  const references: Reference[] = [];
  for (const diskId of disks) {
    const path = join(stage.dir, `reference-${label}-disk-${diskId}`);
    await copyFile(await stage.simulator.control.diskPath(vmId, diskId), path, constants.COPYFILE_FICLONE);
    references.push({ diskId, path });
  }
  return references;
}

/** One byte is turned round, as `--break` asks for: whoever compares afterwards must notice. */
export async function breakByte(stage: Stage, vmId: number, diskId: number, offset: number): Promise<void> {
  const { control } = stage.simulator;
  const [byte = 0] = await control.read(vmId, diskId, offset, 1);
  await control.write(vmId, diskId, offset, Uint8Array.of(byte ^ 0xff));
}
