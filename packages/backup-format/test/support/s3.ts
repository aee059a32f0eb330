import { Secret } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import { type ObjectStore, type S3StoreDeps, type S3StoreOptions, s3Store } from '../../src/index.ts';
import type { S3Fake } from '../../testing/index.ts';

/** A store in the bucket `vault` of a fake, whose retries take no time. */
export function storeOn(fake: S3Fake, options: Partial<S3StoreOptions> = {}, deps: Partial<S3StoreDeps> = {}): ObjectStore {
  const credentials = async () => ({ accessKeyId: fake.accessKeyId, secretAccessKey: new Secret(fake.secretAccessKey) });
  const clock = new FakeClock({ startMs: Date.now(), auto: true });
  return s3Store({ bucket: 'vault', endpoint: options.endpoint ?? fake.endpoint, credentials, ...options }, { clock, ...deps });
}
