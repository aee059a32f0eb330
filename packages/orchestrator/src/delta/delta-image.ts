import type { RestorePoint, StoredDisk } from '@onevault/backup-format';
import type { CallOptions } from '@onevault/base';
import { type Attachment, attachToProxy } from '../attachment.ts';
import { openAttached, openAttachedWritable } from '../open-attached.ts';
import type { JobDeps } from '../ports.ts';
import type { Owned, Run } from '../run.ts';
import { type DeltaReport, deltaRestore } from './delta-restore.ts';

export interface DeltaTarget {
  /** For events. */
  readonly diskId: number;
  /** Persistent: what is written must stay. */
  readonly image: Owned;
  readonly sizeBytes: number;
}

export interface DeltaSource {
  readonly point: RestorePoint;
  readonly stored: StoredDisk;
}

export interface DeltaImageOptions extends CallOptions {
  readonly verify: boolean;
  readonly scanWorkers?: number | undefined;
}

/** Attaches an image to the proxy and makes it hold the disk of the point; the detach, which brings the bytes home, is part of it. */
export async function deltaToImage(deps: JobDeps, run: Run, target: DeltaTarget, source: DeltaSource, options: DeltaImageOptions): Promise<DeltaReport> {
  const { diskId, image, sizeBytes } = target;
  await using reader = await deps.repository.openDisk(source.point, source.stored.key, options);
  const attachment = await attachToProxy(deps, run, { diskId, image, sizeBytes, readOnly: false }, options);
  const { attached } = attachment;
  const device = { read: () => openAttached(deps, attached, options), write: () => openAttachedWritable(deps, attached, options) };
  const report = await run.step('delta', { diskId, object: attached.serial }, () =>
    deltaRestore(deps, device, reader, {
      ...options,
      onProgress: (phase, doneBytes, totalBytes) => run.emit({ type: 'disk.progress', phase, diskId, doneBytes, totalBytes }),
    }),
  );
  await giveBack(attachment);
  return report;
}

async function giveBack(attachment: Attachment): Promise<void> {
  await attachment.undo();
  attachment.assertUndone(`disk ${attachment.attached.serial} could not be detached from the proxy: its data may not have reached the image`);
}
