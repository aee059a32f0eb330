import type { ListObjectVersionsCommandOutput } from '@aws-sdk/client-s3';
import type { CallOptions, Clock } from '@onevault/base';
import { isRepositoryError, RepositoryError } from '../../errors.ts';
import type { ObjectKey } from '../object-store.ts';
import type { S3Connection } from './s3-connection.ts';
import type { S3ObjectLock } from './s3-options.ts';

/**
 * What is rewritten and taken away in the daily course of a repository. Nothing of it is lost for good to whoever restores: index tables are made again from
 * the packs (I7), which are locked; locked themselves they could not be merged, and would pile up with every run.
 */
const NEVER_LOCKED = /^(index|leases|marks|verify|gc)\//;
const DAY_MS = 86_400_000;

export interface LockFields {
  readonly ObjectLockMode?: 'GOVERNANCE' | 'COMPLIANCE';
  readonly ObjectLockRetainUntilDate?: Date;
}

/** Fields of a request that makes an object, so that it is locked from its first moment. */
export function lockFields(key: ObjectKey, lock: S3ObjectLock | undefined, clock: Clock): LockFields {
  if (lock === undefined || NEVER_LOCKED.test(key)) return {};
  const until = new Date(clock.now().getTime() + lock.days * DAY_MS);
  return { ObjectLockMode: lock.mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE', ObjectLockRetainUntilDate: until };
}

/**
 * Makes sure that an object just made is locked. Ceph 16 takes the lock of a whole object and forgets that of an upload in parts; a server without Object Lock forgets both,
 * and then it is better to fail than to protect nothing.
 */
export async function ensureLocked(connection: S3Connection, key: ObjectKey, fullKey: string, fields: LockFields, options: CallOptions): Promise<void> {
  const { ObjectLockMode: Mode, ObjectLockRetainUntilDate: RetainUntilDate } = fields;
  if (Mode === undefined) return;
  const object = { Bucket: connection.bucket, Key: fullKey };
  const found = await connection.run(`look at ${key}`, key, ({ sdk, client, http }) => client.send(new sdk.HeadObjectCommand(object), http), options);
  if (found.ObjectLockMode === Mode) return;
  const command = { ...object, Retention: { Mode, RetainUntilDate }, ...(found.VersionId !== undefined && { VersionId: found.VersionId }) };
  await connection.run(`lock ${key}`, key, ({ sdk, client, http }) => client.send(new sdk.PutObjectRetentionCommand(command), http), options);
}

interface Version {
  readonly id: string;
  readonly latest: boolean;
}

/**
 * Deletes every version of an object, the current one last: until all others are gone it stays what it was. In a bucket with versions a plain delete only
 * hides an object, and lets a locked one be hidden too. Throws REPO_OBJECT_LOCKED.
 */
export async function deleteVersions(connection: S3Connection, key: ObjectKey, fullKey: string, options: CallOptions): Promise<void> {
  const versions = await listVersions(connection, key, fullKey, options);
  for (const { id } of versions.toSorted((a, b) => Number(a.latest) - Number(b.latest))) {
    try {
      await connection.run(
        `delete ${key}`,
        key,
        ({ sdk, client, http }) => client.send(new sdk.DeleteObjectCommand({ Bucket: connection.bucket, Key: fullKey, VersionId: id }), http),
        options,
      );
    } catch (error) {
      if (isRepositoryError(error, 'REPO_OBJECT_MISSING')) continue;
      throw await lockedOr(connection, error, { key, fullKey, versionId: id }, options);
    }
  }
}

/** Versions and delete markers of exactly this key. */
async function listVersions(connection: S3Connection, key: ObjectKey, fullKey: string, options: CallOptions): Promise<Version[]> {
  const found: Version[] = [];
  let marker: VersionMarker | undefined = {};
  while (marker) {
    const page = await versionPage(connection, key, { Prefix: fullKey, ...marker }, options);
    const listed = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
    for (const { Key, VersionId, IsLatest } of listed) if (Key === fullKey && VersionId !== undefined) found.push({ id: VersionId, latest: IsLatest ?? false });
    // Sorted by key: the first key after ours ends it.
    marker = listed.some(({ Key }) => Key !== undefined && Key > fullKey) ? undefined : nextMarker(page);
  }
  return found;
}

interface VersionMarker {
  readonly KeyMarker?: string;
  readonly VersionIdMarker?: string;
}

function versionPage(connection: S3Connection, key: ObjectKey, place: VersionMarker & { readonly Prefix: string }, options: CallOptions) {
  return connection.run(
    `list versions of ${key}`,
    key,
    ({ sdk, client, http }) => client.send(new sdk.ListObjectVersionsCommand({ Bucket: connection.bucket, ...place }), http),
    options,
  );
}

function nextMarker(page: ListObjectVersionsCommandOutput): VersionMarker | undefined {
  if (page.IsTruncated !== true || page.NextKeyMarker === undefined) return undefined;
  return { KeyMarker: page.NextKeyMarker, ...(page.NextVersionIdMarker !== undefined && { VersionIdMarker: page.NextVersionIdMarker }) };
}

/** S3 refuses to delete a locked version in the same words as for a missing right: the version itself says which of the two it is. */
async function lockedOr(
  connection: S3Connection,
  error: unknown,
  place: { readonly key: ObjectKey; readonly fullKey: string; readonly versionId: string },
  options: CallOptions,
): Promise<unknown> {
  if (!isRepositoryError(error, 'REPO_ACCESS_DENIED', 'REPO_STORE_FAILED')) return error;
  const { key, fullKey, versionId } = place;
  const lock = await connection
    .run(
      `look at ${key}`,
      key,
      ({ sdk, client, http }) => client.send(new sdk.HeadObjectCommand({ Bucket: connection.bucket, Key: fullKey, VersionId: versionId }), http),
      options,
    )
    .catch(() => undefined);
  if (lock?.ObjectLockLegalHoldStatus === 'ON') return objectLocked(connection, key, undefined, error);
  if (lock?.ObjectLockRetainUntilDate === undefined) return error;
  return objectLocked(connection, key, lock.ObjectLockRetainUntilDate.toISOString(), error);
}

function objectLocked(connection: S3Connection, key: ObjectKey, until: string | undefined, cause: unknown): RepositoryError {
  return new RepositoryError({
    code: 'REPO_OBJECT_LOCKED',
    message: `${key} is locked ${until === undefined ? 'by a legal hold' : `until ${until}`} and cannot be deleted`,
    details: { key, location: connection.location, ...(until !== undefined && { until }) },
    hint: until === undefined ? 'whoever set the legal hold can lift it' : 'delete it after that time; this is what Object Lock is for',
    cause,
  });
}
