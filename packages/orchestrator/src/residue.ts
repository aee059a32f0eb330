import type { CallOptions } from '@onevault/base';
import type { CloudObject } from './cloud-object.ts';

/**
 * An object of ours that OpenNebula would not give up when its run was over: the first snapshot of a persistent disk, one that somebody renamed, an image
 * that somebody else uses. No run complains of it again; it is removed when that becomes possible, or forgotten when it is gone.
 */
export interface Residue {
  /** `<runId>-<step>`. */
  readonly key: string;
  readonly runId: string;
  readonly endpoint: string;
  readonly object: CloudObject;
  readonly id: number | undefined;
  /** RFC 3339, UTC: when it was set aside. */
  readonly since: string;
  readonly why: { readonly code: string; readonly message: string };
}

/** Durable: a resolved `put` is on stable storage. */
export interface ResidueStore {
  /** Adds it, or replaces the one with its key. */
  put(residue: Residue): Promise<void>;
  /** Idempotent. */
  forget(key: string): Promise<void>;
  /** Oldest first. */
  list(options?: CallOptions): AsyncIterable<Residue>;
}
