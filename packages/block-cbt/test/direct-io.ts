import type { Requirement } from '@onevault/base/testing';
import { fileDevice } from '../testing/index.ts';

/** Some temporary directories (tmpfs before Linux 6.6) do not do O_DIRECT. */
export async function requiresDirectIo(): Promise<Requirement> {
  await using probe = await fileDevice([{ kind: 'data', length: 8192, seed: 1 }], { direct: 'auto' });
  return { met: probe.device.direct, message: 'no O_DIRECT in the temporary directory: set TMPDIR to a directory on ext4 or xfs' };
}
