import { Secret } from '@onevault/base';
import { seededRandom } from '@onevault/base/testing';
import {
  createRepository,
  type DigestAlgorithm,
  keyFileSecret,
  type ObjectStore,
  openRepository,
  type Repository,
  type RepositorySecret,
  type ScryptWork,
} from '../../src/index.ts';
import { BLOCK, deps } from './small-vm.ts';

/** The least work that the format allows: a test opens many slots. */
export const QUICK: ScryptWork = { logN: 14, r: 1, p: 1 };

export function keyFile(seed = 1): RepositorySecret {
  return keyFileSecret(seededRandom(seed).bytes(64));
}

export function passphrase(text: string): RepositorySecret {
  return { kind: 'passphrase', passphrase: new Secret(text) };
}

export function recovery(text: Secret): RepositorySecret {
  return { kind: 'recovery', text };
}

export function newEncrypted(store: ObjectStore, secret = keyFile(), digest: DigestAlgorithm = 'blake3'): Promise<Repository> {
  return createRepository(store, { digest, blockSizeBytes: BLOCK, encryption: { secret, scrypt: QUICK } }, deps);
}

export function openWith(store: ObjectStore, secret = keyFile()): Promise<Repository> {
  return openRepository(store, { ...deps, secret });
}
