import { z } from 'zod';
import { RepositoryError } from '../errors.ts';
import type { Json, RestorePoint } from '../repository-api.ts';
import type { Envelopes } from './envelopes.ts';
import { DIGEST_HEX, GROUP, HEX_ID, NAME, pointKey, TIME, TIME_ID } from './ids.ts';
import { FORMAT_VERSION, MAX_BLOCK_BYTES, MAX_CHUNK_BYTES, MAX_POINT_DISKS, MAX_POINT_METADATA, MIN_BLOCK_BYTES } from './limits.ts';

/** docs/format.md section 9. */
const size = z.int().min(0);
const counters = { changedBlocks: size, unchangedBlocks: size, zeroBlocks: size, newChunks: size, newBytes: size, storedBytes: size, dedupBlocks: size };
const json: z.ZodType<Json> = z.json();
const annotations = z.record(z.string(), json);

const diskSchema = z.strictObject({
  key: z.string().regex(NAME),
  sizeBytes: size,
  blockSizeBytes: z.int().min(MIN_BLOCK_BYTES).max(MAX_BLOCK_BYTES),
  root: z.string().regex(DIGEST_HEX),
  annotations,
  stats: z.strictObject(counters),
});

const metadataSchema = z.strictObject({ name: z.string().regex(NAME), sizeBytes: size.max(MAX_CHUNK_BYTES), digest: z.string().regex(DIGEST_HEX) });

const manifestSchema = z
  .strictObject({
    formatVersion: z.literal(FORMAT_VERSION),
    repositoryId: z.string().regex(HEX_ID),
    id: z.string().regex(TIME_ID),
    group: z.string().regex(GROUP),
    runId: z.string().min(1).max(128),
    capturedAt: z.string().regex(TIME),
    committedAt: z.string().regex(TIME),
    mode: z.enum(['full', 'incremental']),
    parentId: z.string().regex(TIME_ID).optional(),
    origin: z.string().regex(HEX_ID).optional(),
    disks: z.array(diskSchema).max(MAX_POINT_DISKS),
    metadata: z.array(metadataSchema).max(MAX_POINT_METADATA),
    annotations,
    stats: z.strictObject({ ...counters, sizeBytes: size }),
  })
  .refine((manifest) => isUnique(manifest.disks.map((disk) => disk.key)), 'a disk is listed twice')
  .refine((manifest) => isUnique(manifest.metadata.map((file) => file.name)), 'a metadata file is listed twice');

export interface ManifestPlace {
  readonly repositoryId: string;
  readonly group: string;
  readonly id: string;
}

/** Throws TypeError for facts that have no place in a manifest. */
export function encodeManifest(envelopes: Envelopes, repositoryId: string, point: RestorePoint): Buffer {
  const checked = manifestSchema.safeParse({ ...point, formatVersion: FORMAT_VERSION, repositoryId });
  if (!checked.success) throw new TypeError(`a restore point cannot be written like this: ${z.prettifyError(checked.error)}`);
  const { parentId, origin, ...body } = checked.data;
  return envelopes.encode('point', pointKey(point.group, point.id), {
    ...body,
    ...(parentId !== undefined && { parentId }),
    ...(origin !== undefined && { origin }),
  });
}

/** Throws REPO_MANIFEST_INVALID, also when the manifest belongs in another place (I11), or REPO_UNSUPPORTED_VERSION. */
export function decodeManifest(envelopes: Envelopes, place: ManifestPlace, blockSizeBytes: number, bytes: Uint8Array): RestorePoint {
  const parsed = manifestSchema.safeParse(envelopes.decode('point', pointKey(place.group, place.id), bytes));
  if (!parsed.success) throw invalid(`is not valid: ${z.prettifyError(parsed.error)}`, parsed.error);
  const { formatVersion: _version, repositoryId, parentId, origin, ...point } = parsed.data;
  if (repositoryId !== place.repositoryId) throw invalid(`belongs to the repository ${repositoryId}`);
  if (point.group !== place.group || point.id !== place.id) throw invalid(`is really that of ${point.group}/${point.id}`);
  if (point.disks.some((disk) => disk.blockSizeBytes !== blockSizeBytes)) throw invalid('names a block size that is not the repository’s');
  return { ...point, ...(parentId !== undefined && { parentId }), ...(origin !== undefined && { origin }) };
}

function isUnique(names: readonly string[]): boolean {
  return new Set(names).size === names.length;
}

function invalid(message: string, cause?: unknown): RepositoryError {
  return new RepositoryError({ code: 'REPO_MANIFEST_INVALID', message: `the manifest ${message}`, cause });
}
