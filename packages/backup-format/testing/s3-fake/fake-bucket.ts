import { createHash, randomBytes } from 'node:crypto';
import { S3Refusal } from './refusal.ts';

export interface ObjectFields {
  readonly metadata: Readonly<Record<string, string>>;
  readonly lockMode?: string | undefined;
  readonly retainUntil?: string | undefined;
}

export interface ObjectVersion extends ObjectFields {
  readonly key: string;
  readonly versionId: string;
  /** Undefined for the mark that hides an object. */
  readonly body: Buffer | undefined;
  readonly etag: string;
}

interface Upload {
  readonly key: string;
  readonly id: string;
  readonly begunMs: number;
  readonly fields: ObjectFields;
  readonly parts: Map<number, { readonly etag: string; readonly body: Buffer }>;
}

export interface BucketKind {
  /** Keeps versions, and takes locks. */
  readonly objectLock?: boolean;
}

const MIN_PART_BYTES = 5 * 1024 * 1024;

/** What S3 does with the objects of one bucket; no HTTP. */
export class FakeBucket {
  readonly name: string;
  readonly locks: boolean;
  /** Oldest first. */
  readonly #versions = new Map<string, ObjectVersion[]>();
  readonly #uploads = new Map<string, Upload>();
  readonly #now: () => number;

  constructor(name: string, kind: BucketKind, now: () => number) {
    this.name = name;
    this.locks = kind.objectLock ?? false;
    this.#now = now;
  }

  current(key: string): ObjectVersion | undefined {
    const version = this.#versions.get(key)?.at(-1);
    return version?.body === undefined ? undefined : version;
  }

  find(key: string, versionId: string | undefined): ObjectVersion {
    const version = versionId === undefined ? this.current(key) : this.#versions.get(key)?.find((candidate) => candidate.versionId === versionId);
    if (version?.body === undefined) throw new S3Refusal(404, 'NoSuchKey', 'The specified key does not exist.', { Key: key });
    return version;
  }

  put(key: string, body: Buffer, fields: ObjectFields, etag = md5(body)): ObjectVersion {
    if (fields.lockMode !== undefined && !this.locks) throw new S3Refusal(400, 'InvalidRequest', 'Bucket is missing Object Lock Configuration');
    const version = { key, body, etag, ...fields, versionId: newId() };
    this.#versions.set(key, [...(this.locks ? (this.#versions.get(key) ?? []) : []), version]);
    return version;
  }

  retain(key: string, versionId: string | undefined, lockMode: string, retainUntil: string): void {
    if (!this.locks) throw new S3Refusal(400, 'InvalidRequest', 'Bucket is missing Object Lock Configuration');
    const version = this.find(key, versionId);
    const versions = this.#versions.get(key) ?? [];
    this.#versions.set(
      key,
      versions.map((candidate) => (candidate === version ? { ...version, lockMode, retainUntil } : candidate)),
    );
  }

  delete(key: string, versionId: string | undefined): void {
    const versions = this.#versions.get(key) ?? [];
    if (versionId !== undefined) {
      const version = versions.find((candidate) => candidate.versionId === versionId);
      if (version?.retainUntil !== undefined && Date.parse(version.retainUntil) > this.#now())
        throw new S3Refusal(403, 'AccessDenied', 'Access Denied because object protected by object lock.');
      this.#versions.set(
        key,
        versions.filter((candidate) => candidate !== version),
      );
    } else if (!this.locks) this.#versions.delete(key);
    else if (versions.length > 0) this.#versions.set(key, [...versions, { key, versionId: newId(), body: undefined, etag: '', metadata: {} }]);
  }

  /** In order of key, as UTF-8. */
  keys(prefix = ''): string[] {
    const found = [...this.#versions.keys()].filter((key) => key.startsWith(prefix) && this.current(key));
    return found.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  /** Newest first within a key. */
  versions(prefix: string): (ObjectVersion & { readonly latest: boolean })[] {
    const keys = [...this.#versions.keys()].filter((key) => key.startsWith(prefix)).sort();
    return keys.flatMap((key) => (this.#versions.get(key) ?? []).toReversed().map((version, n) => ({ ...version, latest: n === 0 })));
  }

  begin(key: string, fields: ObjectFields): string {
    if (fields.lockMode !== undefined && !this.locks) throw new S3Refusal(400, 'InvalidRequest', 'Bucket is missing Object Lock Configuration');
    const upload = { key, id: newId(), begunMs: this.#now(), fields, parts: new Map() };
    this.#uploads.set(upload.id, upload);
    return upload.id;
  }

  putPart(id: string, part: number, body: Buffer): string {
    const etag = md5(body);
    this.#upload(id).parts.set(part, { etag, body });
    return etag;
  }

  complete(id: string, wanted: readonly { readonly part: number; readonly etag: string }[]): ObjectVersion {
    const { key, fields, parts } = this.#upload(id);
    const bodies = wanted.map(({ part, etag }, n) => {
      const found = parts.get(part);
      if (found?.etag !== etag) throw new S3Refusal(400, 'InvalidPart', 'One or more of the specified parts could not be found.');
      if (part <= (wanted[n - 1]?.part ?? 0)) throw new S3Refusal(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.');
      if (n < wanted.length - 1 && found.body.length < MIN_PART_BYTES) throw new S3Refusal(400, 'EntityTooSmall', 'a part is smaller than 5 MiB');
      return found.body;
    });
    if (bodies.length === 0) throw new S3Refusal(400, 'MalformedXML', 'an upload has at least one part');
    this.#uploads.delete(id);
    return this.put(key, Buffer.concat(bodies), fields, `${md5(Buffer.concat(bodies))}-${bodies.length}`);
  }

  abandon(id: string): void {
    this.#upload(id);
    this.#uploads.delete(id);
  }

  uploads(prefix = ''): { readonly key: string; readonly id: string; readonly begunMs: number }[] {
    return [...this.#uploads.values()].filter(({ key }) => key.startsWith(prefix)).sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  }

  #upload(id: string): Upload {
    const upload = this.#uploads.get(id);
    if (!upload) throw new S3Refusal(404, 'NoSuchUpload', 'The specified upload does not exist.');
    return upload;
  }
}

function md5(body: Uint8Array): string {
  return createHash('md5').update(body).digest('hex');
}

function newId(): string {
  return randomBytes(12).toString('hex');
}
