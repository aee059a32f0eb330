import { type S3Fake, startS3Fake } from '@onevault/backup-format/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mainJobInBucket } from '../support/bucket-job.ts';
import { documentOf, openSecondShell, type SecondShell } from '../support/command-line.ts';

/** The built command against a strict S3 server in this process; tests/s3 does the same against a real one. */
describe('a repository in an S3 bucket, by commands alone', { timeout: 180_000 }, () => {
  let fake: S3Fake;
  let shell: SecondShell;
  let bucket: ReturnType<S3Fake['makeBucket']>;
  const env = (): Record<string, string> => ({
    AWS_ACCESS_KEY_ID: fake.accessKeyId,
    AWS_SECRET_ACCESS_KEY: fake.secretAccessKey,
    ONEVAULT_REPO: `s3://vault/one?endpoint=${fake.endpoint}`,
  });
  const run = (args: readonly string[], more: Record<string, string> = {}) => shell.run(args, { ...env(), ...more });

  beforeAll(async () => {
    fake = await startS3Fake();
    bucket = fake.makeBucket('vault');
    shell = await openSecondShell();
  }, 60_000);
  afterAll(async () => {
    await shell[Symbol.asyncDispose]();
    await fake[Symbol.asyncDispose]();
  }, 60_000);

  test('does the whole job, encrypted, and leaves nothing unfinished in the bucket', async () => {
    await mainJobInBucket(shell, { url: `s3://vault/job?endpoint=${fake.endpoint}`, env: env() });
    expect(bucket.uploads()).toEqual([]);
    expect(fake.requests.some(({ operation }) => operation === 'CompleteMultipartUpload')).toBe(true);
    const stored = Buffer.concat(bucket.keys('job/').map((key) => bucket.find(key, undefined).body ?? Buffer.alloc(0)));
    expect(stored.includes('"object":"point"')).toBe(true);
    // With its quotes: three letters alone come up by chance in megabytes of ciphertext.
    expect(stored.includes('"web"')).toBe(false);
  });

  test('refuses a second init in the same place, with exit 1', async () => {
    expect((await run(['init'])).exit).toBe(0);
    const again = await run(['init', '--json']);
    expect(JSON.parse(again.stderr)).toMatchObject({ code: 'REPO_EXISTS', exitCode: 1 });
    expect(documentOf(await run(['repo', 'info', '--json']))).toMatchObject({ location: 's3://vault/one' });
  });

  test.each([
    ['no such bucket', (endpoint: string) => `s3://elsewhere?endpoint=${endpoint}`, {}, 'REPO_BUCKET_MISSING', 10],
    ['no repository', (endpoint: string) => `s3://vault/nothing?endpoint=${endpoint}`, {}, 'REPO_NOT_FOUND', 10],
    ['a wrong secret', (endpoint: string) => `s3://vault/one?endpoint=${endpoint}`, { AWS_SECRET_ACCESS_KEY: 'opensesame' }, 'REPO_CREDENTIALS_INVALID', 1],
    [
      'no credentials at all',
      (endpoint: string) => `s3://vault/one?endpoint=${endpoint}`,
      { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_EC2_METADATA_DISABLED: 'true' },
      'REPO_CREDENTIALS_INVALID',
      1,
    ],
    ['a parameter that does not exist', () => 's3://vault/one?acl=public', {}, 'REPO_URL_INVALID', 2],
    ['nobody at the endpoint', () => 's3://vault/one?endpoint=http://127.0.0.1:9', {}, 'REPO_UNREACHABLE', 1],
  ] as const)('%s is said by its name', async (_, url, more, code, exitCode) => {
    const listed = await run(['point', 'list', '--json'], { ...more, ONEVAULT_REPO: url(fake.endpoint) });
    expect(JSON.parse(listed.stderr)).toMatchObject({ code, exitCode, hint: expect.any(String) });
    expect(listed.exit).toBe(exitCode);
    expect(listed.stderr).not.toContain('opensesame');
  });

  test('credentials in the URL are refused, and not repeated', async () => {
    const listed = await shell.run(['point', 'list', '--repo', 's3://AKIA:opensesame@vault/one']);
    expect(listed.exit).toBe(2);
    expect(listed.stderr).toContain('ONEVAULT_S3_CREDENTIALS_COMMAND');
    expect(listed.stderr).not.toContain('opensesame');
  });

  test('credentials may come from a command, and the repository from --repo', async () => {
    const command = `printf '{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"%s"}' '${fake.accessKeyId}' '${fake.secretAccessKey}'`;
    const listed = await shell.run(['point', 'list', '--no-header', '--repo', `s3://vault/one?endpoint=${fake.endpoint}`], {
      ONEVAULT_S3_CREDENTIALS_COMMAND: command,
    });
    expect(listed).toMatchObject({ exit: 0, stderr: '' });
  });

  test('credentials may come from a profile of the shared file', async () => {
    const { writeFile } = await import('node:fs/promises');
    const file = `${shell.dir}/credentials`;
    await writeFile(file, `[vault]\naws_access_key_id = ${fake.accessKeyId}\naws_secret_access_key = ${fake.secretAccessKey}\n`);
    const place = { ONEVAULT_REPO: `s3://vault/one?endpoint=${fake.endpoint}`, AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: 'vault' };
    expect(await shell.run(['point', 'list', '--no-header'], place)).toMatchObject({ exit: 0, stderr: '' });
  });
});
