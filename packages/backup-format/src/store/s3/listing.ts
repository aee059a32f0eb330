import type { ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import type { CallOptions } from '@onevault/base';
import { RepositoryError } from '../../errors.ts';
import type { ObjectStat } from '../object-store.ts';
import type { S3Connection } from './s3-connection.ts';

export interface ListedPlace {
  /** What every key of the repository begins with in its bucket. */
  readonly root: string;
  /** Inside the repository. */
  readonly prefix: string;
}

/** All pages of a listing, or an error: a server that cuts one short or mixes it up is not believed (guarantee 6). */
export async function* listObjects(connection: S3Connection, { root, prefix }: ListedPlace, options: CallOptions): AsyncGenerator<ObjectStat, void> {
  let last = '';
  let token: string | undefined;
  do {
    const page = await listPage(connection, root + prefix, token, options);
    for (const { Key, Size } of page.Contents ?? []) {
      const fullKey = decodeKey(Key);
      if (!fullKey.startsWith(root + prefix) || fullKey <= last || Size === undefined) throw disordered(connection, prefix, fullKey);
      last = fullKey;
      const key = fullKey.slice(root.length);
      if (isShown(key)) yield { key, sizeBytes: Size };
      options.signal?.throwIfAborted();
    }
    const next = nextToken(page);
    if (next !== undefined && (next === '' || next === token)) throw disordered(connection, prefix, last);
    token = next;
  } while (token !== undefined);
}

/** Not what begins with a dot, which is the store's own, and not the marks that stand for empty folders. */
function isShown(key: string): boolean {
  return key !== '' && !key.endsWith('/') && !key.split('/').some((part) => part.startsWith('.'));
}

/** Empty for a page that says that there is more and not where: it leads nowhere new, which is an error above. */
function nextToken(page: ListObjectsV2CommandOutput): string | undefined {
  return page.IsTruncated === true ? (page.NextContinuationToken ?? '') : undefined;
}

async function listPage(connection: S3Connection, Prefix: string, token: string | undefined, options: CallOptions): Promise<ListObjectsV2CommandOutput> {
  options.signal?.throwIfAborted();
  const command = { Bucket: connection.bucket, Prefix, EncodingType: 'url' as const, ...(token !== undefined && { ContinuationToken: token }) };
  return await connection.run(`list ${Prefix}`, '', ({ sdk, client, http }) => client.send(new sdk.ListObjectsV2Command(command), http), options);
}

/** Keys come URL-encoded: XML cannot carry every character that a foreign object may have in its name. */
function decodeKey(key = ''): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return key; // not UTF-8, so none of ours
  }
}

function disordered(connection: S3Connection, prefix: string, at: string): RepositoryError {
  return new RepositoryError({
    code: 'REPO_STORE_FAILED',
    message: `the listing of ${prefix === '' ? 'the repository' : prefix} in ${connection.location} is not complete and in order (at ${at})`,
    details: { location: connection.location, key: at },
    hint: 'a repository needs a bucket whose listings are sorted: not a directory bucket (S3 Express)',
  });
}
