import { describe, expect, it } from 'vitest';
import { formatStoreUrl, parseStoreUrl } from '../src/index.ts';

describe('a place for a repository', () => {
  it.each([
    ['/mnt/backup', { kind: 'file', path: '/mnt/backup' }],
    ['backup', { kind: 'file', path: 'backup' }],
    ['./with:colon', { kind: 'file', path: './with:colon' }],
    ['../up/x?y=z#1', { kind: 'file', path: '../up/x?y=z#1' }],
    ['file:/mnt/backup', { kind: 'file', path: '/mnt/backup' }],
    ['file:///mnt/with%20space', { kind: 'file', path: '/mnt/with space' }],
    ['s3://bucket', { kind: 's3', bucket: 'bucket', prefix: '' }],
    ['s3://bucket/', { kind: 's3', bucket: 'bucket', prefix: '' }],
    ['S3://Old_Bucket.1/a/b.c/', { kind: 's3', bucket: 'Old_Bucket.1', prefix: 'a/b.c' }],
    [
      's3://bucket/a?endpoint=http://10.0.0.1:7480&region=eu-1&path-style=false&ca-file=/etc/ssl/my%20ca+1.pem',
      { kind: 's3', bucket: 'bucket', prefix: 'a', endpoint: 'http://10.0.0.1:7480', region: 'eu-1', pathStyle: false, caFile: '/etc/ssl/my ca+1.pem' },
    ],
    ['s3://bucket?endpoint=https%3A%2F%2Fs3.example.org%2F', { kind: 's3', bucket: 'bucket', prefix: '', endpoint: 'https://s3.example.org' }],
    ['s3://bucket?lock-days=30', { kind: 's3', bucket: 'bucket', prefix: '', lock: { days: 30, mode: 'governance' } }],
    ['s3://bucket?lock-days=7&lock-mode=compliance', { kind: 's3', bucket: 'bucket', prefix: '', lock: { days: 7, mode: 'compliance' } }],
  ])('%s', (text, address) => {
    expect(parseStoreUrl(text)).toEqual(address);
    expect(parseStoreUrl(formatStoreUrl(parseStoreUrl(text)))).toEqual(address);
  });

  it.each([
    '',
    'a\0b',
    'sftp:host:/x',
    'S3:bucket/x',
    's3:https://host/bucket',
    'http://host/bucket',
    'file://host/x',
    'file:relative%2Fx',
    's3://',
    's3:///x',
    's3://b',
    's3://bucket:80/x',
    's3://bucket//x',
    's3://bucket/../x',
    's3://bucket/.hidden',
    's3://bucket/a b',
    's3://bucket/a#b',
    's3://bucket?region=a?b',
    's3://bucket?region=',
    's3://bucket?region=a b',
    's3://bucket?Region=eu-1',
    's3://bucket?region=eu-1&region=eu-2',
    's3://bucket?path-style=1',
    's3://bucket?endpoint=host:9000',
    's3://bucket?endpoint=ftp://host',
    's3://bucket?endpoint=https://host/path',
    's3://bucket?ca-file=',
    's3://bucket?lock-days=0',
    's3://bucket?lock-days=1.5',
    's3://bucket?lock-days=99999',
    's3://bucket?lock-mode=compliance',
    's3://bucket?lock-days=1&lock-mode=legal',
    's3://bucket?acl=public-read',
  ])('refuses %j', (text) => {
    expect(() => parseStoreUrl(text)).toThrow(expect.objectContaining({ code: 'REPO_URL_INVALID' }));
  });

  it.each([
    's3://AKIA:opensesame@bucket/x',
    's3://bucket?endpoint=https://AKIA:opensesame@host',
    's3://bucket?secret-key=opensesame',
    's3://bucket?access_key_id=opensesame',
  ])('refuses credentials in it, says where they belong, and does not repeat them: %s', (text) => {
    try {
      parseStoreUrl(text);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'REPO_URL_INVALID', hint: expect.stringContaining('ONEVAULT_S3_CREDENTIALS_COMMAND') });
      expect(JSON.stringify(error)).not.toContain('opensesame');
    }
  });
});
