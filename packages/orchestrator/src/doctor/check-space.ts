import type { CallOptions } from '@onevault/base';
import { type Checked, ok, trouble } from './finding.ts';

/** A file system that onevault writes to. */
export interface Volume {
  /** For a person: `state directory`. */
  readonly use: string;
  readonly path: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Below it something is about to fail. */
  readonly neededBytes: number;
}

const MIB = 1024 * 1024;

export async function* checkSpace(volumes: (options: CallOptions) => Promise<readonly Volume[]>, options: CallOptions): Checked {
  for (const { use, path, freeBytes, totalBytes, neededBytes } of await volumes(options)) {
    const subject = `${use} ${path}`;
    const text = `${Math.floor(freeBytes / MIB)} of ${Math.floor(totalBytes / MIB)} MiB are free`;
    const share = totalBytes === 0 ? 1 : freeBytes / totalBytes;
    if (freeBytes < neededBytes) yield trouble('space', 'problem', 'SPACE_OUT', subject, text, 'give it space: without it no run can keep its promises');
    else if (share < 0.05)
      yield trouble(
        'space',
        'warning',
        'SPACE_LOW',
        subject,
        text,
        'forget restore points and collect garbage (onevault retention apply, repo gc), or give it space',
      );
    else yield ok('space', 'SPACE', subject, text);
  }
}
