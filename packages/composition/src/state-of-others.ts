import { stat } from 'node:fs/promises';
import { CompositionError } from './errors.ts';

/**
 * Root may write anywhere, but who owns the directory could not read what root wrote there: a service would not start any more, or fail at its next backup.
 * Throws CLI_STATE_DIR_INVALID.
 */
export async function refuseStateOfOthers(directory: string, euid: number | undefined = process.geteuid?.()): Promise<void> {
  if (euid !== 0) return;
  const owner = (await stat(directory).catch(() => undefined))?.uid ?? 0;
  if (owner === 0) return;
  throw new CompositionError({
    code: 'CLI_STATE_DIR_INVALID',
    message: `the state directory ${directory} belongs to user ${owner}, who could not read what root writes there`,
    details: { directory, owner },
    hint: 'do it as that user (where the Debian package is installed: onevault-as-service instead of onevault), or name another directory with --state-dir',
  });
}
