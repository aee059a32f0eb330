import { createHash, hash } from 'node:crypto';

/**
 * The checksums inside packs and index tables. In an encrypted repository they are keyed and bound to the key of their object: who has no key of the
 * repository can neither make such an object nor pass one off as another (I34).
 */
export interface StructureSum {
  /** Whether the chunks of the repository are sealed; one that is not so is foreign. */
  readonly encrypted: boolean;
  /** 32 bytes over the parts, one after the other, of the object under `key`. */
  of(key: string, ...parts: readonly Uint8Array[]): Buffer;
}

/** What the binary structures of one repository have in common. */
export interface StructureOwner {
  readonly repositoryId: string;
  readonly sum: StructureSum;
}

/** Of a repository without encryption: SHA-256, which finds what broke by itself. */
export const plainSum: StructureSum = {
  encrypted: false,
  of: (_key, ...parts) => {
    const [first, ...more] = parts;
    if (first && more.length === 0) return hash('sha256', first, 'buffer'); // several times as fast for a page
    const sum = createHash('sha256');
    for (const part of parts) sum.update(part);
    return sum.digest();
  },
};
