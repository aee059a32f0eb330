import { addAbortSignal, Readable } from 'node:stream';
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import type { CallOptions } from '@onevault/base';
import { RepositoryError } from '../../errors.ts';
import { objectTooShort } from '../object-errors.ts';
import type { ByteRange, ObjectKey } from '../object-store.ts';

/** The bytes of an answer, exactly as many as were asked for (guarantee 5); what ends early is worth another attempt. */
export async function readBody(key: ObjectKey, answer: GetObjectCommandOutput, range: ByteRange | undefined, options: CallOptions): Promise<Uint8Array> {
  const body: unknown = answer.Body;
  if (!(body instanceof Readable)) throw strange(key, 'the answer has no body');
  try {
    const length = range === undefined ? answer.ContentLength : rangeLength(key, answer, range);
    if (length === undefined) throw strange(key, 'the answer does not say its length');
    return await readExactly(key, options.signal ? addAbortSignal(options.signal, body) : body, length);
  } finally {
    body.destroy();
  }
}

/** Content-Range says what the object had: `bytes 3-6/10`. */
function rangeLength(key: ObjectKey, answer: GetObjectCommandOutput, { offset, length }: ByteRange): number {
  const found = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.ContentRange ?? '');
  if (!found) throw strange(key, 'the server ignores ranges');
  const [first, last, sizeBytes] = found.slice(1).map(Number) as [number, number, number];
  if (sizeBytes < offset + length) throw objectTooShort(key, offset, length, sizeBytes);
  if (first !== offset || last !== offset + length - 1) throw strange(key, `bytes ${first} to ${last} came for ${offset} to ${offset + length - 1}`);
  return length;
}

async function readExactly(key: ObjectKey, body: Readable, length: number): Promise<Uint8Array> {
  const target = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    if (at + chunk.length > length) throw strange(key, `more than ${length} bytes came`);
    target.set(chunk, at);
    at += chunk.length;
  }
  if (at < length) throw strange(key, `${at} of ${length} bytes came`);
  return target;
}

function strange(key: ObjectKey, what: string): RepositoryError {
  return new RepositoryError({ code: 'REPO_STORE_FAILED', message: `could not read ${key}: ${what}`, details: { key }, retryable: true });
}
