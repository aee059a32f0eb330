import type { ListMultipartUploadsCommandOutput } from '@aws-sdk/client-s3';
import { isRepositoryError, RepositoryError } from '../../errors.ts';
import type { SweepOptions, SweepReport } from '../object-store.ts';
import type { S3Connection } from './s3-connection.ts';
import { s3Name } from './s3-errors.ts';

interface Upload {
  readonly key: string;
  readonly id: string;
  readonly begunMs: number;
}

/**
 * Removes multipart uploads below `root` that were begun long ago. Age is measured by the server's clock: against an upload begun just now. What their parts take is
 * not looked up, so `removedBytes` is 0.
 */
export async function sweepUploads(
  connection: S3Connection,
  place: { readonly root: string; readonly probeKey: string },
  options: SweepOptions,
): Promise<SweepReport> {
  const probeId = await begin(connection, place.probeKey, options);
  try {
    const uploads = await listUploads(connection, place.root, options);
    const probe = uploads.find(({ id, key }) => id === probeId && key === place.probeKey);
    if (!probe) throw new RepositoryError({ code: 'REPO_STORE_FAILED', message: `${connection.location} does not list an upload that was just begun` });
    const others = uploads.filter((upload) => upload !== probe);
    const old = others.filter(({ begunMs }) => probe.begunMs - begunMs >= options.olderThanMs);
    for (const { key, id } of old) await remove(connection, key, id, options);
    return { removed: old.length, removedBytes: 0, kept: others.length - old.length };
  } finally {
    await remove(connection, place.probeKey, probeId, {});
  }
}

async function begin(connection: S3Connection, Key: string, options: SweepOptions): Promise<string> {
  const { UploadId } = await connection.run(
    'begin an upload to tell the time by',
    '',
    ({ sdk, client }) => client.send(new sdk.CreateMultipartUploadCommand({ Bucket: connection.bucket, Key })),
    options,
  );
  if (UploadId === undefined) throw new RepositoryError({ code: 'REPO_STORE_FAILED', message: `${connection.location} does not name an upload` });
  return UploadId;
}

async function listUploads(connection: S3Connection, Prefix: string, options: SweepOptions): Promise<Upload[]> {
  const found: Upload[] = [];
  let marker: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } = {};
  for (;;) {
    const page: ListMultipartUploadsCommandOutput = await connection.run(
      'list unfinished uploads',
      '',
      ({ sdk, client, http }) => client.send(new sdk.ListMultipartUploadsCommand({ Bucket: connection.bucket, Prefix, ...marker }), http),
      options,
    );
    for (const { Key, UploadId, Initiated } of page.Uploads ?? [])
      if (Key?.startsWith(Prefix) && UploadId !== undefined && Initiated) found.push({ key: Key, id: UploadId, begunMs: Initiated.getTime() });
    if (page.IsTruncated !== true || page.NextKeyMarker === undefined) return found;
    marker = { KeyMarker: page.NextKeyMarker, ...(page.NextUploadIdMarker !== undefined && { UploadIdMarker: page.NextUploadIdMarker }) };
  }
}

async function remove(connection: S3Connection, Key: string, UploadId: string, options: { readonly signal?: AbortSignal }): Promise<void> {
  try {
    await connection.run(
      `give up the upload of ${Key}`,
      '',
      ({ sdk, client }) => client.send(new sdk.AbortMultipartUploadCommand({ Bucket: connection.bucket, Key, UploadId })),
      options,
    );
  } catch (error) {
    if (s3Name(error) !== 'NoSuchUpload' && !isRepositoryError(error, 'REPO_BUCKET_MISSING')) throw error;
  }
}
