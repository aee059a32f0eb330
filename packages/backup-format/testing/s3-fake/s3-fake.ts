import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { type BucketKind, FakeBucket } from './fake-bucket.ts';
import { operationOf, perform, type S3Behaviour, type S3Call, type S3OperationName } from './operations.ts';
import { S3Refusal } from './refusal.ts';
import { refusalAnswer, type S3Answer, sendAnswer } from './s3-answer.ts';
import { checkSignature } from './sig-v4.ts';

/** What happens to a request instead of, or after, what it asked for. */
export type S3Fault =
  | { readonly kind: 'refuse'; readonly status: number; readonly code: string }
  /** Not from the server itself: what a proxy in front of it answers. */
  | { readonly kind: 'page'; readonly status: number; readonly text: string }
  /** The connection breaks before the request has an effect, or after it, so that only the answer is lost. */
  | { readonly kind: 'reset'; readonly effect: boolean }
  /** The answer stops after so many bytes of its body. */
  | { readonly kind: 'truncate'; readonly bytes: number }
  /** Never answered. */
  | { readonly kind: 'stall' }
  /** Carried out when the promise is fulfilled, also when nobody waits for the answer any more. */
  | { readonly kind: 'late'; readonly after: Promise<unknown> };

export interface S3FakeRequest {
  readonly operation: S3OperationName;
  readonly bucket: string;
  readonly key: string;
  /** From 1, over everything this server was asked. */
  readonly n: number;
}

export interface S3FakeOptions extends Partial<S3Behaviour> {
  readonly region?: string;
  /** By how much the clock of the server is ahead. */
  readonly aheadMs?: number;
  /** Certificate and key, PEM. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface S3Fake extends AsyncDisposable {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Every request that was understood, in the order it came. */
  readonly requests: readonly S3FakeRequest[];
  /** Asked for every request; replaced by tests. */
  faults: (request: S3FakeRequest) => S3Fault | undefined;
  aheadMs: number;
  makeBucket(name: string, kind?: BucketKind): FakeBucket;
  /** Gone with all that is in it, until it returns. */
  vanish(name: string): void;
  comeBack(name: string): void;
}

const ACCOUNT = { accessKeyId: 'FAKEACCESSKEY', secretAccessKey: 'fake/secret+key' };

/**
 * A strict S3 server in this process, for buckets in the path: signatures are computed again, bodies are checked against their MD5, uploads, versions and locks
 * behave as the documentation of S3 says, and any request can be made to fail in the ways of servers and networks.
 */
export async function startS3Fake(options: S3FakeOptions = {}): Promise<S3Fake> {
  const fake = new Fake(options);
  await fake.listen();
  return fake;
}

class Fake implements S3Fake {
  readonly accessKeyId = ACCOUNT.accessKeyId;
  readonly secretAccessKey = ACCOUNT.secretAccessKey;
  readonly requests: S3FakeRequest[] = [];
  faults: (request: S3FakeRequest) => S3Fault | undefined = () => undefined;
  aheadMs: number;
  readonly #behaviour: S3Behaviour;
  readonly #region: string;
  readonly #tls: boolean;
  readonly #server;
  readonly #buckets = new Map<string, FakeBucket>();
  readonly #vanished = new Set<string>();

  constructor(options: S3FakeOptions) {
    this.aheadMs = options.aheadMs ?? 0;
    this.#behaviour = {
      conditionalPut: options.conditionalPut ?? 'enforced',
      conditionalComplete: options.conditionalComplete ?? 'enforced',
      locksUploads: options.locksUploads ?? true,
      pageSize: options.pageSize ?? 1000,
    };
    this.#region = options.region ?? 'us-east-1';
    this.#tls = options.tls !== undefined;
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      this.#serve(request, response).catch(() => response.destroy());
    };
    this.#server = options.tls ? createHttpsServer(options.tls, listener) : createHttpServer(listener);
  }

  get endpoint(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `${this.#tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  makeBucket(name: string, kind: BucketKind = {}): FakeBucket {
    const bucket = new FakeBucket(name, kind, () => this.#now());
    this.#buckets.set(name, bucket);
    return bucket;
  }

  vanish(name: string): void {
    this.#vanished.add(name);
  }

  comeBack(name: string): void {
    this.#vanished.delete(name);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    response.setHeader('date', new Date(this.#now()).toUTCString());
    const fault = this.#faultFor(request);
    if (fault?.kind === 'stall') return;
    if (fault?.kind === 'late') await fault.after;
    if (fault?.kind === 'reset' && !fault.effect) {
      response.destroy();
      return;
    }
    const answer = fault ? (faultAnswer(fault) ?? this.#answer(request, body)) : this.#answer(request, body);
    if (fault?.kind === 'reset') response.destroy();
    else if (fault?.kind === 'truncate') truncated(response, answer, fault.bytes);
    else sendAnswer(response, answer, request.method === 'HEAD');
  }

  #faultFor(request: IncomingMessage): S3Fault | undefined {
    const { bucket, key, query } = placeOf(request);
    const operation = operationOf(request.method ?? '', key, query);
    if (operation === undefined) return undefined;
    const asked = { operation, bucket, key, n: this.requests.length + 1 };
    this.requests.push(asked);
    return this.faults(asked);
  }

  #answer(request: IncomingMessage, body: Buffer): S3Answer {
    try {
      const signed = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body };
      checkSignature(signed, { ...ACCOUNT, region: this.#region, nowMs: this.#now() });
      return { ...perform(this.#call(request, body), this.#behaviour) };
    } catch (error) {
      if (!(error instanceof S3Refusal)) throw error;
      return refusalAnswer(error);
    }
  }

  #call(request: IncomingMessage, body: Buffer): S3Call {
    const { bucket: name, key, query } = placeOf(request);
    const operation = operationOf(request.method ?? '', key, query);
    if (operation === undefined) throw new S3Refusal(501, 'NotImplemented', `${request.method} ${request.url}`);
    const bucket = this.#vanished.has(name) ? undefined : this.#buckets.get(name);
    if (!bucket) throw new S3Refusal(404, 'NoSuchBucket', 'The specified bucket does not exist', { BucketName: name });
    return { operation, bucket, key, query, headers: request.headers, body };
  }

  #now(): number {
    return Date.now() + this.aheadMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function placeOf(request: IncomingMessage): { readonly bucket: string; readonly key: string; readonly query: URLSearchParams } {
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const [bucket = '', ...key] = path.slice(1).split('/');
  return { bucket, key: decodeURIComponent(key.join('/')), query: new URLSearchParams(query) };
}

function faultAnswer(fault: S3Fault): S3Answer | undefined {
  if (fault.kind === 'page') return { status: fault.status, headers: { 'content-type': 'text/html' }, body: fault.text };
  return fault.kind === 'refuse' ? refusalAnswer(new S3Refusal(fault.status, fault.code, `${fault.code} on purpose`)) : undefined;
}

/** Says how long the body is and ends before. */
function truncated(response: ServerResponse, answer: S3Answer, bytes: number): void {
  const body = Buffer.from(answer.body ?? '');
  response.writeHead(answer.status, { ...answer.headers, 'content-length': String(body.length) });
  response.write(body.subarray(0, bytes), () => response.destroy());
}
