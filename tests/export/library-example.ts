import { readFile } from 'node:fs/promises';
import { keyFileSecret, openRepository, openStore, parseStoreUrl } from '@onevault/backup-format';
import { systemClock } from '@onevault/base';
import { exportDisk } from '@onevault/disk-export';

/** Saves one disk of a restore point; ids and keys are in `onevault point show --json`. */
export async function saveDisk(place: string, keyFile: string, pointId: string, diskKey: string, file: string): Promise<void> {
  const store = openStore(parseStoreUrl(place), { env: {}, clock: systemClock }); // env: AWS_* for a bucket
  await using repository = await openRepository(store, { clock: systemClock, secret: keyFileSecret(await readFile(keyFile)) });
  await using disk = await repository.openDisk(await repository.point(pointId), diskKey);
  await exportDisk(disk, { kind: 'file', path: file }, { format: { kind: 'qcow2', compression: 'zstd' }, verify: true });
}
