import type { CallOptions } from '@onevault/base';
import { DRILLS_PREFIX, parseDrillKey } from '../drills/drill-record.ts';
import { readDrillRecord } from '../drills/drills.ts';
import { isRepositoryError, type RepositoryError, withPlace } from '../errors.ts';
import { MAX_JSON_BYTES } from '../format/limits.ts';
import { checkGcRecord, GC_PREFIX } from '../gc/gc-record.ts';
import { decodeSlot, KEYS_PREFIX, parseSlotKey } from '../keys/key-slot.ts';
import { decodeLease, LEASES_PREFIX, parseLeaseKey } from '../lease/lease-record.ts';
import { decodeMark } from '../marks/mark-body.ts';
import { MARKS_PREFIX, parseMarkKey } from '../marks/mark-keys.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { readWhole } from '../store/read-whole.ts';
import { parseVerifyRecordKey, VERIFY_PREFIX } from './verify-record.ts';
import { readVerifyRecord } from './verify-records.ts';

type OtherDeps = Pick<RepositoryParts, 'store' | 'config' | 'envelopes' | 'logger'>;

interface OtherKind {
  readonly prefix: string;
  /** Reads and checks the object when the key is one of its kind; anything else under the prefix is left alone (I14). */
  check(deps: OtherDeps, key: string, options: CallOptions): Promise<void>;
}

/** Objects beside the data: nothing in them is needed to restore, so that damage to one is told and harms no restore point. */
const KINDS: readonly OtherKind[] = [
  {
    prefix: KEYS_PREFIX,
    check: async (deps, key, options) => {
      const id = parseSlotKey(key);
      if (id !== undefined) decodeSlot({ repositoryId: deps.config.id, id }, await readWhole(deps.store, key, MAX_JSON_BYTES, options));
    },
  },
  {
    prefix: LEASES_PREFIX,
    check: async (deps, key, options) => {
      if (parseLeaseKey(key)) decodeLease(deps.envelopes, deps.config.id, key, await readWhole(deps.store, key, MAX_JSON_BYTES, options));
    },
  },
  {
    prefix: MARKS_PREFIX,
    check: async (deps, key, options) => {
      const place = parseMarkKey(key);
      if (place?.kind) decodeMark(deps.envelopes, deps.config.id, place, key, await readWhole(deps.store, key, MAX_JSON_BYTES, options));
    },
  },
  { prefix: GC_PREFIX, check: checkGcRecord },
  {
    prefix: VERIFY_PREFIX,
    check: async (deps, key, options) => {
      const id = parseVerifyRecordKey(key);
      if (id !== undefined) await readVerifyRecord(deps, id, options);
    },
  },
  {
    prefix: DRILLS_PREFIX,
    check: async (deps, key, options) => {
      const place = parseDrillKey(key);
      if (place !== undefined) await readDrillRecord(deps, place, options);
    },
  },
];

const DAMAGE = [
  'REPO_LEASE_INVALID',
  'REPO_MARK_INVALID',
  'REPO_KEY_INVALID',
  'REPO_GC_RECORD_INVALID',
  'REPO_VERIFY_RECORD_INVALID',
  'REPO_DRILL_RECORD_INVALID',
  'REPO_UNSUPPORTED_VERSION',
  'REPO_OBJECT_MISSING',
  'REPO_OBJECT_TRUNCATED',
  'REPO_TOO_LARGE',
] as const;

/** Reads every lease, mark, key slot and record once. */
export async function checkOtherObjects(deps: OtherDeps, note: (key: string, error: RepositoryError) => void, options: CallOptions): Promise<void> {
  for (const kind of KINDS) {
    for await (const { key } of deps.store.list(kind.prefix, options)) {
      const error = await damageOf(deps, kind, key, options);
      if (error) note(key, error);
    }
  }
}

async function damageOf(deps: OtherDeps, kind: OtherKind, key: string, options: CallOptions): Promise<RepositoryError | undefined> {
  try {
    await kind.check(deps, key, options);
    return undefined;
  } catch (error) {
    if (!isRepositoryError(error, ...DAMAGE)) throw error;
    if (error.code === 'REPO_OBJECT_MISSING' && !(await deps.store.stat(key, options))) return undefined; // expired or removed since it was listed
    const placed = withPlace(error, { key });
    return isRepositoryError(placed) ? placed : error;
  }
}
