import { GetObjectCommand, ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { type ObjectStore, type S3StoreOptions, s3Store } from '@onevault/backup-format';
import { objectStoreContract } from '@onevault/backup-format/testing';
import { Secret, systemClock } from '@onevault/base';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mainJobInBucket } from '../support/bucket-job.ts';
import { openSecondShell } from '../support/command-line.ts';
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

  it('knows If-None-Match for whole objects, not for the end of an upload: that is what the probe must find', async () => {
    await server.makeBucket('probe');
    await using store = storeIn('probe');
    await store.put('onevault.json', Buffer.from('{}'), { ifAbsent: true });
    const { Body } = await server.client.send(new GetObjectCommand({ Bucket: 'probe', Key: '.onevault-s3.json' }));
    expect(JSON.parse((await Body?.transformToString()) ?? '')).toMatchObject({ conditionalPut: true, version: 1 });
  });

  it('names a bucket that is not there, and credentials that are wrong', async () => {
    await using nowhere = storeIn('not-there-at-all');
    await expect(nowhere.stat('one')).rejects.toMatchObject({ code: 'REPO_BUCKET_MISSING' });
    await expect(nowhere.put('one', Buffer.from('x'), { ifAbsent: true })).rejects.toMatchObject({ code: 'REPO_BUCKET_MISSING' });
    const wrong = async () => ({ accessKeyId: server.accessKeyId, secretAccessKey: new Secret('wrong') });
    await using locked = storeIn('probe', { credentials: wrong });
    await expect(locked.stat('onevault.json')).rejects.toMatchObject({ code: 'REPO_CREDENTIALS_INVALID' });
  });

  it('refuses to delete what Object Lock holds, which is said with the time it ends; leases are free', async () => {
    await server.makeBucket('locked', { objectLock: true });
    await using store = storeIn('locked', { lock: { days: 1, mode: 'compliance' } });
    await store.put('packs/aa/one', Buffer.from('x'), { ifAbsent: true });
    const writer = await store.create('packs/aa/large');
    await writer.write([Buffer.alloc(9 * 1024 * 1024)]);
    await writer.commit();
    for (const key of ['packs/aa/one', 'packs/aa/large']) {
      await expect(store.delete(key)).rejects.toMatchObject({ code: 'REPO_OBJECT_LOCKED', details: { key, until: expect.stringMatching(/^\d{4}-/) } });
      expect(await store.stat(key)).toBeDefined();
    }
    await store.put('leases/one', Buffer.from('x'), { ifAbsent: true });
    await store.delete('leases/one');
    expect(await store.stat('leases/one')).toBeUndefined();
  });

  it('a gateway that is killed in the middle of an upload and comes back costs time, not the object', async () => {
    await server.makeBucket('restart');
    await using store = storeIn('restart');
    const part = Buffer.alloc(9 * 1024 * 1024, 'x');
    const writer = await store.create('packs/aa/one');
    await writer.write([part]);
    await server.kill();
    const rest = writer.write([part]).then(() => writer.commit());
    await server.start();
    await rest;
    expect(await store.stat('packs/aa/one')).toEqual({ key: 'packs/aa/one', sizeBytes: 2 * part.length });
    const { Uploads = [] } = await server.client.send(new ListMultipartUploadsCommand({ Bucket: 'restart' }));
    expect(Uploads).toEqual([]);
  }, 120_000);

  it('does the whole job by commands alone, encrypted', async () => {
    await server.makeBucket('job');
    await using shell = await openSecondShell();
    const env = { AWS_ACCESS_KEY_ID: server.accessKeyId, AWS_SECRET_ACCESS_KEY: server.secretAccessKey.reveal() };
    await mainJobInBucket(shell, { url: `s3://job/one?endpoint=${server.endpoint}`, env });
    const { Uploads = [] } = await server.client.send(new ListMultipartUploadsCommand({ Bucket: 'job' }));
    expect(Uploads).toEqual([]);
  }, 180_000);
});
