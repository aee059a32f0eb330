import { z } from 'zod';
import { RepositoryError } from '../errors.ts';
import type { Envelopes } from '../format/envelopes.ts';
import { DIGEST_HEX, HEX_ID, TIME } from '../format/ids.ts';
import { FORMAT_VERSION } from '../format/limits.ts';
import type { ObjectKey } from '../store/object-store.ts';

/** docs/format.md section 19: `leases/<lease id>/<sequence>`, one object a heartbeat. */
export const LEASES_PREFIX = 'leases/';
const SEQUENCE = /^[0-9]{10}$/;

/** `writer`, `reader` and `forget`: shared, any number. `exclusive`: whatever deletes packs, one at a time. */
export type LeaseKind = 'writer' | 'reader' | 'forget' | 'exclusive';

/** Who holds a lease, for people: nothing is decided by it. */
export interface LeaseHolder {
  readonly host: string;
  readonly pid: number;
}

/** A disk index that the holder copies digests from or reads: gc keeps what it refers to. */
export interface LeaseRoot {
  readonly root: string;
  readonly sizeBytes: number;
}

export interface LeaseRecord {
  readonly id: string;
  readonly kind: LeaseKind;
  readonly sequence: number;
  readonly holder: LeaseHolder;
  /** What for, in words. */
  readonly purpose: string;
  /** By the holder's clock, for people. */
  readonly startedAt: string;
  readonly expiryMs: number;
  /** Number of the newest gc record that the holder has read, 0 for none: nothing condemned later is deleted while it holds the lease. */
  readonly epoch: number;
  readonly roots: readonly LeaseRoot[];
  /** Of a reader: the manifest of the restore point that it reads. */
  readonly point?: ObjectKey;
  /** The holder is done, but a gc was at work: it takes the roots into account, then removes the lease. */
  readonly ended: boolean;
}

const size = z.int().min(0);
const recordSchema = z.strictObject({
  formatVersion: z.literal(FORMAT_VERSION),
  repositoryId: z.string().regex(HEX_ID),
  id: z.string().regex(HEX_ID),
  kind: z.enum(['writer', 'reader', 'forget', 'exclusive']),
  sequence: z.int().min(1),
  holder: z.strictObject({ host: z.string().max(255), pid: size }),
  purpose: z.string().min(1).max(256),
  startedAt: z.string().regex(TIME),
  expiryMs: z
    .int()
    .min(1000)
    .max(24 * 3600_000),
  epoch: size,
  roots: z.array(z.strictObject({ root: z.string().regex(DIGEST_HEX), sizeBytes: size })).max(65_536),
  point: z.string().max(1024).optional(),
  ended: z.boolean(),
});

export function leaseKey(id: string, sequence: number): ObjectKey {
  return `${LEASES_PREFIX}${id}/${String(sequence).padStart(10, '0')}`;
}

export function leasePrefix(id: string): string {
  return `${LEASES_PREFIX}${id}/`;
}

/** Undefined for what is not a lease (I14). */
export function parseLeaseKey(key: ObjectKey): { readonly id: string; readonly sequence: number } | undefined {
  const [, id = '', sequence = ''] = key.split('/');
  return HEX_ID.test(id) && SEQUENCE.test(sequence) && key === leaseKey(id, Number(sequence)) ? { id, sequence: Number(sequence) } : undefined;
}

export function encodeLease(envelopes: Envelopes, repositoryId: string, record: LeaseRecord): Buffer {
  const { roots, holder, point, ...rest } = recordSchema.parse({ ...record, formatVersion: FORMAT_VERSION, repositoryId });
  return envelopes.encode('lease', leaseKey(record.id, record.sequence), {
    ...rest,
    holder: { ...holder },
    roots: roots.map((root) => ({ ...root })),
    ...(point !== undefined && { point }),
  });
}

/** Throws REPO_LEASE_INVALID, also for a lease that belongs elsewhere, or REPO_UNSUPPORTED_VERSION. */
export function decodeLease(envelopes: Envelopes, repositoryId: string, key: ObjectKey, bytes: Uint8Array): LeaseRecord {
  const parsed = recordSchema.safeParse(envelopes.decode('lease', key, bytes));
  if (!parsed.success) throw invalid(key, `is not valid: ${z.prettifyError(parsed.error)}`, parsed.error);
  const { formatVersion: _version, repositoryId: owner, point, ...record } = parsed.data;
  if (owner !== repositoryId || key !== leaseKey(record.id, record.sequence)) throw invalid(key, 'belongs in another place');
  return point === undefined ? record : { ...record, point };
}

function invalid(key: ObjectKey, message: string, cause?: unknown): RepositoryError {
  return new RepositoryError({ code: 'REPO_LEASE_INVALID', message: `the lease ${key} ${message}`, details: { key }, cause });
}
