import { type Envelopes, plainEnvelopes } from '../format/envelopes.ts';
import type { RandomBytes } from '../format/ids.ts';
import { plainSum, type StructureSum } from '../format/structure-sum.ts';
import type { DigestAlgorithm, DigestSpec } from '../repository-api.ts';
import { aesChunkCipher, type ChunkCipher } from './chunk-cipher.ts';
import { keyedSum } from './keyed-sum.ts';
import type { MasterKey } from './master-key.ts';
import { sealedEnvelopes } from './sealed-envelopes.ts';

/** How a repository protects its parts; the layers below know no more of encryption than this. */
export interface Protection {
  readonly digest: DigestSpec;
  /** Absent where chunks are stored in the clear. */
  readonly cipher?: ChunkCipher;
  readonly envelopes: Envelopes;
  readonly sum: StructureSum;
}

export function plainProtection(algorithm: DigestAlgorithm): Protection {
  return { digest: { algorithm }, envelopes: plainEnvelopes, sum: plainSum };
}

/** With the master key of an encrypted repository, or without. */
export function protectionFor(algorithm: DigestAlgorithm, master: MasterKey | undefined, randomBytes: RandomBytes): Protection {
  if (!master) return plainProtection(algorithm);
  return {
    digest: { algorithm, key: master.deriveSecret('digest') },
    cipher: aesChunkCipher(master.derive('chunk'), randomBytes),
    envelopes: sealedEnvelopes(master.derive('json'), randomBytes),
    sum: keyedSum(master.derive('structure')),
  };
}
