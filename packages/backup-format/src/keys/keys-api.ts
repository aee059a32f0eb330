import type { CallOptions } from '@onevault/base';
import type { ScryptWork } from './key-derivation.ts';
import type { RepositorySecret, SecretKind } from './secret.ts';

export interface KeySlotSpec {
  /** Whose or what it is, at most 100 characters; everybody who sees the store can read it. */
  readonly label?: string;
  /** For a passphrase; by default 128 MiB and about half a second. */
  readonly scrypt?: ScryptWork;
}

export interface KeySlotInfo {
  readonly id: string;
  readonly kind: SecretKind;
  readonly label: string;
  readonly created: string;
  /** Whether the repository was opened with it. */
  readonly current: boolean;
}

export type ListedKeySlot = { readonly kind: 'slot'; readonly slot: KeySlotInfo } | { readonly kind: 'damaged'; readonly id: string; readonly error: Error };

/** The secrets that open a repository. Data is never written anew for them. */
export interface RepositoryKeys {
  /** Oldest first. */
  list(options?: CallOptions): Promise<readonly ListedKeySlot[]>;
  /** Throws REPO_SECRET_INVALID. */
  add(secret: RepositorySecret, spec?: KeySlotSpec, options?: CallOptions): Promise<KeySlotInfo>;
  /** By id, or a unique beginning or end of it. Throws REPO_KEY_LAST, REPO_KEY_NOT_FOUND. */
  remove(id: string, options?: CallOptions): Promise<void>;
  /** Puts `secret` in the place of the one that the repository was opened with; the label stays unless another one is given. */
  replace(secret: RepositorySecret, spec?: KeySlotSpec, options?: CallOptions): Promise<KeySlotInfo>;
}
