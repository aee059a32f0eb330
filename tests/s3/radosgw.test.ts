import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { type ObjectStore, type S3StoreOptions, s3Store } from '@onevault/backup-format';
import { objectStoreContract } from '@onevault/backup-format/testing';
import { systemClock } from '@onevault/base';
import { afterAll, beforeAll } from 'vitest';
import { type Radosgw, radosgwRequirements, startRadosgw } from '../support/radosgw.ts';
import { describeWith } from '../support/requires.ts';

describeWith(radosgwRequirements, 'on a Ceph RADOS Gateway', () => {
  let server: Radosgw;
  let buckets = 0;
  beforeAll(async () => {
    server = await startRadosgw();
  }, 120_000);
  afterAll(() => server[Symbol.asyncDispose](), 60_000);

  function storeIn(bucket: string, options: Partial<S3StoreOptions> = {}): ObjectStore {
    const { endpoint, accessKeyId, secretAccessKey } = server;
    return s3Store({ bucket, endpoint, credentials: async () => ({ accessKeyId, secretAccessKey }), ...options }, { clock: systemClock });
  }

  objectStoreContract('in a bucket of radosgw', async () => {
    const bucket = `contract-${++buckets}`;
    await server.makeBucket(bucket);
    const store = storeIn(bucket, { prefix: 'in/here' });
    const other = storeIn(bucket, { prefix: 'in/here' });
    return {
      store,
      reopen: () => other,
      cleanUp: async () => {
        await Promise.all([store[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]);
        const { Uploads = [] } = await server.client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
        const { Contents = [] } = await server.client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'in/here/.' }));
        const left = [...Uploads, ...Contents].map(({ Key }) => Key).filter((key) => key !== 'in/here/.onevault-s3.json');
        if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
      },
    };
  });
});
