import { createHash, createHmac } from 'node:crypto';
import { S3Refusal } from './refusal.ts';

export interface SignedRequest {
  readonly method: string;
  /** As it came: encoded, with the query. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}

export interface Account {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  /** What the server takes the time to be. */
  readonly nowMs: number;
}

const MAX_SKEW_MS = 15 * 60_000;
const AUTHORIZATION = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;

/** The signature computed again, as the documentation of "Signature Version 4" says; a body must be signed by its hash. */
export function checkSignature(request: SignedRequest, account: Account): void {
  const found = AUTHORIZATION.exec(header(request, 'authorization'));
  if (!found) throw new S3Refusal(403, 'AccessDenied', 'the request is not signed');
  const [, accessKeyId = '', day = '', region = '', signedHeaders = '', signature = ''] = found;
  if (accessKeyId !== account.accessKeyId) throw new S3Refusal(403, 'InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.');
  if (region !== account.region)
    throw new S3Refusal(400, 'AuthorizationHeaderMalformed', `the region '${region}' is wrong; expecting '${account.region}'`, { Region: account.region });
  const at = header(request, 'x-amz-date');
  if (Math.abs(parseAmzDate(at) - account.nowMs) > MAX_SKEW_MS)
    throw new S3Refusal(403, 'RequestTimeTooSkewed', 'The difference between the request time and the current time is too large.');
  const bodyHash = sha256(request.body);
  if (header(request, 'x-amz-content-sha256') !== bodyHash) throw new S3Refusal(400, 'XAmzContentSHA256Mismatch', 'the body is not what was signed');
  const [path = '', query = ''] = request.url.split('?');
  const canonical = [
    request.method,
    path,
    canonicalQuery(query),
    ...signedHeaders.split(';').map((name) => `${name}:${header(request, name).trim()}`),
    '',
    signedHeaders,
    bodyHash,
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const key = [region, 's3', 'aws4_request'].reduce<Buffer>((previous, part) => hmac(previous, part), hmac(`AWS4${account.secretAccessKey}`, day));
  const expected = hmac(key, ['AWS4-HMAC-SHA256', at, scope, sha256(Buffer.from(canonical))].join('\n')).toString('hex');
  if (expected !== signature)
    throw new S3Refusal(403, 'SignatureDoesNotMatch', 'The request signature we calculated does not match the signature you provided.');
}

function header(request: SignedRequest, name: string): string {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : (value ?? '');
}

function canonicalQuery(query: string): string {
  const pairs = query.split('&').filter((pair) => pair !== '');
  return pairs
    .map((pair) => (pair.includes('=') ? pair : `${pair}=`))
    .sort()
    .join('&');
}

function parseAmzDate(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
