import type { Clock } from '@onevault/base';
import { createRepository, type DigestAlgorithm, memoryStore } from '../../src/index.ts';
import { BLOCK } from './model-disk.ts';
import { ModelKeys, openSide } from './model-keys.ts';
import type { Side } from './programs.ts';
import type { ModelRandom } from './scheduler.ts';
import { Truth } from './truth.ts';

/** An empty repository of the model. */
export async function newSide(
  name: string,
  spec: { readonly digest: DigestAlgorithm; readonly encrypted: boolean },
  { clock, random }: { readonly clock: Clock; readonly random: ModelRandom },
): Promise<Side> {
  const store = memoryStore(name);
  const keys = spec.encrypted ? new ModelKeys(random) : undefined;
  const encryption = keys && { encryption: { secret: keys.first } };
  await createRepository(store, { digest: spec.digest, blockSizeBytes: BLOCK, ...encryption }, { clock, randomBytes: (length) => random.bytes(length) });
  return { name, store, keys, truth: new Truth(store, clock, (raw) => openSide({ keys }, raw, { clock })) };
}
