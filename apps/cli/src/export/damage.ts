import { isRepositoryError } from '@onevault/backup-format';
import { errorCode } from '@onevault/base';
import type { ByteRange, DamagedRange } from '@onevault/disk-export';

/** What a reader of a disk throws when bytes of it are lost, as opposed to a repository that cannot be reached. */
export function damageOf(error: unknown): ByteRange | undefined {
  if (!isRepositoryError(error, 'REPO_CHUNK_CORRUPT', 'REPO_CHUNK_MISSING', 'REPO_PAGE_CORRUPT')) return undefined;
  const { diskKey, offset, length } = error.details;
  return diskKey === undefined || offset === undefined || length === undefined ? undefined : { offset, length };
}

export function damageDocument({ offset, length, error }: DamagedRange): object {
  return { offset, length, code: errorCode(error) ?? null };
}

export function damageLine(disk: string, { offset, length, error }: DamagedRange): string {
  return `disk ${disk}: bytes ${offset} to ${offset + length} are damaged (${errorCode(error) ?? 'unknown'}) and read as zeros in the export`;
}
