import type { Clock } from '@onevault/base';

/** Ids of runs: by time, unique, and fit for a URL and a file name. Not those of workflows, which have a form of their own. */
export function runIds({ clock, randomBytes }: { readonly clock: Clock; readonly randomBytes: (size: number) => Uint8Array }): () => string {
  return () => {
    const time = clock.now().getTime().toString(36).padStart(9, '0');
    return `run-${time}-${Buffer.from(randomBytes(6)).toString('hex')}`;
  };
}
