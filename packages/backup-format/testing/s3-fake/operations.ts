import { createHash } from 'node:crypto';
import type { FakeBucket, ObjectFields, ObjectVersion } from './fake-bucket.ts';
import { S3Refusal } from './refusal.ts';
import { type S3Answer, tag, xmlAnswer } from './s3-answer.ts';

export type S3OperationName =
  | 'PutObject'
  | 'GetObject'
  | 'HeadObject'
  | 'DeleteObject'
  | 'PutObjectRetention'
  | 'ListObjectsV2'
  | 'ListObjectVersions'
  | 'ListMultipartUploads'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload';

/** `If-None-Match: *` as servers treat it: enforced, ignored, or refused as unknown. */
export type Conditional = 'enforced' | 'ignored' | 'unknown';

export interface S3Behaviour {
  readonly conditionalPut: Conditional;
  readonly conditionalComplete: Conditional;
  /** Whether the lock that an upload begins with is on the object in the end: Ceph 16 forgets it. */
  readonly locksUploads: boolean;
  /** Entries of a page, whatever is asked for. */
  readonly pageSize: number;
}

export interface S3Call {
  readonly operation: S3OperationName;
  readonly bucket: FakeBucket;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

const OBJECT_OPERATIONS: Readonly<Record<string, S3OperationName>> = {
  'PUT ': 'PutObject',
  'GET ': 'GetObject',
  'HEAD ': 'HeadObject',
  'DELETE ': 'DeleteObject',
  'PUT retention': 'PutObjectRetention',
  'POST uploads': 'CreateMultipartUpload',
  'PUT uploadId': 'UploadPart',
  'POST uploadId': 'CompleteMultipartUpload',
  'DELETE uploadId': 'AbortMultipartUpload',
};

/** What a request is; undefined for what this server does not know. */
export function operationOf(method: string, key: string, query: URLSearchParams): S3OperationName | undefined {
  const upload = ['uploads', 'uploadId', 'retention'].find((name) => query.has(name)) ?? '';
  if (key !== '') return OBJECT_OPERATIONS[`${method} ${upload}`];
  if (method !== 'GET') return undefined;
  if (query.has('versions')) return 'ListObjectVersions';
  return upload === 'uploads' ? 'ListMultipartUploads' : query.get('list-type') === '2' ? 'ListObjectsV2' : undefined;
}

export function perform(call: S3Call, behaviour: S3Behaviour): S3Answer {
  checkMd5(call);
  switch (call.operation) {
    case 'PutObject':
      checkAbsent(call, behaviour.conditionalPut);
      return stored(call.bucket.put(call.key, call.body, fieldsOf(call)));
    case 'GetObject':
      return getObject(call);
    case 'HeadObject': {
      const version = call.bucket.find(call.key, call.query.get('versionId') ?? undefined);
      return { status: 200, headers: { ...objectHeaders(version), 'content-length': String(version.body?.length ?? 0) } };
    }
    case 'DeleteObject':
      call.bucket.delete(call.key, call.query.get('versionId') ?? undefined);
      return { status: 204 };
    case 'PutObjectRetention':
      call.bucket.retain(call.key, call.query.get('versionId') ?? undefined, xmlField(call, 'Mode'), xmlField(call, 'RetainUntilDate'));
      return { status: 200 };
    case 'ListObjectsV2':
      return listObjects(call, behaviour.pageSize);
    case 'ListObjectVersions':
      return listVersions(call, behaviour.pageSize);
    case 'ListMultipartUploads':
      return listUploads(call, behaviour.pageSize);
    case 'CreateMultipartUpload':
      return xmlAnswer('InitiateMultipartUploadResult', tag('UploadId', call.bucket.begin(call.key, uploadFields(call, behaviour))));
    case 'UploadPart': {
      const etag = call.bucket.putPart(call.query.get('uploadId') ?? '', Number(call.query.get('partNumber')), call.body);
      return { status: 200, headers: { etag: `"${etag}"` } };
    }
    case 'CompleteMultipartUpload':
      checkAbsent(call, behaviour.conditionalComplete);
      return xmlAnswer('CompleteMultipartUploadResult', tag('ETag', call.bucket.complete(call.query.get('uploadId') ?? '', wantedParts(call)).etag));
    case 'AbortMultipartUpload':
      call.bucket.abandon(call.query.get('uploadId') ?? '');
      return { status: 204 };
  }
}

function checkMd5({ operation, headers, body }: S3Call): void {
  const given = headers['content-md5'];
  if (given !== undefined && given !== createHash('md5').update(body).digest('base64'))
    throw new S3Refusal(400, 'BadDigest', 'The Content-MD5 you specified did not match what we received.');
  if (given === undefined && (operation === 'UploadPart' || operation === 'PutObject'))
    throw new S3Refusal(400, 'InvalidRequest', 'Content-MD5 is required: here a body without a checksum is a defect of the client');
}

function checkAbsent({ headers, bucket, key }: S3Call, conditional: Conditional): void {
  if (headers['if-none-match'] === undefined || conditional === 'ignored') return;
  if (conditional === 'unknown') throw new S3Refusal(501, 'NotImplemented', 'A header you provided implies functionality that is not implemented');
  if (bucket.current(key))
    throw new S3Refusal(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', { Condition: 'If-None-Match' });
}

function fieldsOf({ headers }: S3Call): ObjectFields {
  const metadata = Object.entries(headers).flatMap(([name, value]) => (name.startsWith('x-amz-meta-') ? [[name, String(value)] as const] : []));
  const lockMode = headers['x-amz-object-lock-mode'];
  const retainUntil = headers['x-amz-object-lock-retain-until-date'];
  if ((lockMode === undefined) !== (retainUntil === undefined)) throw new S3Refusal(400, 'InvalidArgument', 'a lock has a mode and a date');
  return { metadata: Object.fromEntries(metadata), ...(lockMode !== undefined && { lockMode: String(lockMode), retainUntil: String(retainUntil) }) };
}

function uploadFields(call: S3Call, { locksUploads }: S3Behaviour): ObjectFields {
  const fields = fieldsOf(call);
  return locksUploads ? fields : { metadata: fields.metadata };
}

function xmlField({ body }: S3Call, name: string): string {
  return new RegExp(`<${name}>([^<]*)<`).exec(body.toString())?.[1] ?? '';
}

function stored({ etag, versionId }: ObjectVersion): S3Answer {
  return { status: 200, headers: { etag: `"${etag}"`, 'x-amz-version-id': versionId } };
}

function objectHeaders({ etag, metadata, lockMode, retainUntil, versionId }: ObjectVersion): Record<string, string> {
  return {
    etag: `"${etag}"`,
    'x-amz-version-id': versionId,
    ...metadata,
    ...(lockMode !== undefined && { 'x-amz-object-lock-mode': lockMode, 'x-amz-object-lock-retain-until-date': retainUntil ?? '' }),
  };
}

function getObject({ bucket, key, query, headers }: S3Call): S3Answer {
  const version = bucket.find(key, query.get('versionId') ?? undefined);
  const body = version.body ?? Buffer.alloc(0);
  const range = /^bytes=(\d+)-(\d+)$/.exec(String(headers['range'] ?? ''));
  if (!range) return { status: 200, headers: objectHeaders(version), body };
  const [first, last] = [Number(range[1]), Math.min(Number(range[2]), body.length - 1)];
  if (first >= body.length) throw new S3Refusal(416, 'InvalidRange', 'The requested range is not satisfiable', { ActualObjectSize: String(body.length) });
  return {
    status: 206,
    headers: { ...objectHeaders(version), 'content-range': `bytes ${first}-${last}/${body.length}` },
    body: body.subarray(first, last + 1),
  };
}

function listObjects({ bucket, query }: S3Call, pageSize: number): S3Answer {
  const prefix = query.get('prefix') ?? '';
  const after = Buffer.from(query.get('continuation-token') ?? '', 'base64').toString();
  const limit = Math.min(Number(query.get('max-keys') ?? 1000), pageSize);
  const all = bucket.keys(prefix).filter((key) => after === '' || Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0);
  const page = all.slice(0, limit);
  const write = (key: string): string => (query.get('encoding-type') === 'url' ? encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/') : key);
  const contents = page.map((key) => `<Contents>${tag('Key', write(key))}${tag('Size', bucket.find(key, undefined).body?.length ?? 0)}</Contents>`);
  const truncated = all.length > page.length;
  const next = truncated ? tag('NextContinuationToken', Buffer.from(page.at(-1) ?? '').toString('base64')) : '';
  return xmlAnswer('ListBucketResult', `${tag('Name', bucket.name)}${tag('KeyCount', page.length)}${tag('IsTruncated', truncated)}${next}${contents.join('')}`);
}

function listVersions({ bucket, query }: S3Call, pageSize: number): S3Answer {
  const all = bucket.versions(query.get('prefix') ?? '');
  const from = 1 + all.findIndex((version) => version.key === query.get('key-marker') && version.versionId === query.get('version-id-marker'));
  const page = all.slice(from, from + pageSize);
  const entries = page.map((version) => {
    const content = `${tag('Key', version.key)}${tag('VersionId', version.versionId)}${tag('IsLatest', version.latest)}`;
    return version.body === undefined ? `<DeleteMarker>${content}</DeleteMarker>` : `<Version>${content}</Version>`;
  });
  const truncated = from + page.length < all.length;
  const last = page.at(-1);
  const next = truncated && last ? tag('NextKeyMarker', last.key) + tag('NextVersionIdMarker', last.versionId) : '';
  return xmlAnswer('ListVersionsResult', `${tag('IsTruncated', truncated)}${next}${entries.join('')}`);
}

function listUploads({ bucket, query }: S3Call, pageSize: number): S3Answer {
  const all = bucket.uploads(query.get('prefix') ?? '');
  const from = 1 + all.findIndex(({ key, id }) => key === query.get('key-marker') && id === query.get('upload-id-marker'));
  const page = all.slice(from, from + pageSize);
  const entries = page.map(
    ({ key, id, begunMs }) => `<Upload>${tag('Key', key)}${tag('UploadId', id)}${tag('Initiated', new Date(begunMs).toISOString())}</Upload>`,
  );
  const truncated = from + page.length < all.length;
  const last = page.at(-1);
  const next = truncated && last ? tag('NextKeyMarker', last.key) + tag('NextUploadIdMarker', last.id) : '';
  return xmlAnswer('ListMultipartUploadsResult', `${tag('IsTruncated', truncated)}${next}${entries.join('')}`);
}

function wantedParts({ body }: S3Call): { readonly part: number; readonly etag: string }[] {
  return [...body.toString().matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => ({
    part: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
    etag: (/<ETag>(.*?)</.exec(part)?.[1] ?? '').replaceAll('&quot;', '').replaceAll('"', ''),
  }));
}
