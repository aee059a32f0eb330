import { RepositoryError } from '../../errors.ts';
import type { SweepOptions, SweepReport } from '../object-store.ts';
import type { S3Connection } from './s3-connection.ts';
import { abandonUpload, beginUpload, type ListedUpload, listUploads } from './uploads.ts';

/**
 * Removes multipart uploads below `root` that were begun long ago. Age is measured by the server's clock: against an upload begun just now. What their parts take is
 * not looked up, so `removedBytes` is 0.
 */
export async function sweepUploads(
  connection: S3Connection,
  place: { readonly root: string; readonly probeKey: string },
  options: SweepOptions,
): Promise<SweepReport> {
  const probe = await beginUpload(connection, place.probeKey, {}, options);
  try {
    const uploads: ListedUpload[] = [];
    for await (const upload of listUploads(connection, place.root, options)) uploads.push(upload);
    const nowMs = uploads.find(({ id }) => id === probe.id)?.begunMs;
    if (nowMs === undefined)
      throw new RepositoryError({ code: 'REPO_STORE_FAILED', message: `${connection.location} does not list an upload that was just begun` });
    const others = uploads.filter(({ id }) => id !== probe.id);
    const old = others.filter(({ begunMs }) => nowMs - begunMs >= options.olderThanMs);
    for (const { key, id } of old) await abandonUpload(connection, key, id, options);
    return { removed: old.length, removedBytes: 0, kept: others.length - old.length };
  } finally {
    await abandonUpload(connection, place.probeKey, probe.id, {});
  }
}
