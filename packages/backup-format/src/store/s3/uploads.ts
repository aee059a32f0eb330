import type { CallOptions } from '@onevault/base';
import { isRepositoryError, RepositoryError } from '../../errors.ts';
import type { S3Connection, S3RunOptions } from './s3-connection.ts';
import { s3Name } from './s3-errors.ts';

export interface BegunUpload {
  readonly id: string;
  /** An answer was lost on the way to it: the server may have another upload of this key, which nobody knows the id of. */
  readonly doubtful: boolean;
}

/** Begins a multipart upload. Not cut off by an abort once it is sent: an upload that nobody knows of could not be removed. */
export async function beginUpload(connection: S3Connection, fullKey: string, fields: object, options: CallOptions): Promise<BegunUpload> {
  let attempts = 0;
  const { UploadId } = await connection.run(
    `begin ${fullKey}`,
    '',
    ({ sdk, client, attempt }) => {
      attempts = attempt;
      return client.send(new sdk.CreateMultipartUploadCommand({ Bucket: connection.bucket, Key: fullKey, ...fields }));
    },
    options,
  );
  if (UploadId === undefined)
    throw new RepositoryError({ code: 'REPO_STORE_FAILED', message: `${connection.location} does not name the upload of ${fullKey}` });
  return { id: UploadId, doubtful: attempts > 1 };
}

/** Removes an upload and its parts; one that is gone is gone. */
export async function abandonUpload(connection: S3Connection, fullKey: string, id: string, options: S3RunOptions): Promise<void> {
  const command = { Bucket: connection.bucket, Key: fullKey, UploadId: id };
  try {
    await connection.run(`give up ${fullKey}`, '', ({ sdk, client }) => client.send(new sdk.AbortMultipartUploadCommand(command)), options);
  } catch (error) {
    if (s3Name(error) !== 'NoSuchUpload' && !isRepositoryError(error, 'REPO_BUCKET_MISSING')) throw error;
  }
}

/** Removes every upload of a key that only the caller writes (I18). */
export async function abandonUploads(connection: S3Connection, fullKey: string, options: S3RunOptions): Promise<void> {
  for await (const { key, id } of listUploads(connection, fullKey, options)) if (key === fullKey) await abandonUpload(connection, key, id, options);
}

export interface ListedUpload {
  readonly key: string;
  readonly id: string;
  /** By the clock of the server. */
  readonly begunMs: number;
}

export async function* listUploads(connection: S3Connection, prefix: string, options: S3RunOptions): AsyncGenerator<ListedUpload, void> {
  let marker: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } | undefined = {};
  while (marker) {
    const place: { readonly Bucket: string; readonly Prefix: string } = { Bucket: connection.bucket, Prefix: prefix, ...marker };
    const page = await connection.run(
      'list unfinished uploads',
      '',
      ({ sdk, client, http }) => client.send(new sdk.ListMultipartUploadsCommand(place), http),
      options,
    );
    for (const { Key, UploadId, Initiated } of page.Uploads ?? [])
      if (Key?.startsWith(prefix) && UploadId !== undefined) yield { key: Key, id: UploadId, begunMs: Initiated?.getTime() ?? Number.NaN };
    const next = page.IsTruncated === true ? page.NextKeyMarker : undefined;
    marker = next === undefined ? undefined : { KeyMarker: next, ...(page.NextUploadIdMarker !== undefined && { UploadIdMarker: page.NextUploadIdMarker }) };
  }
}
