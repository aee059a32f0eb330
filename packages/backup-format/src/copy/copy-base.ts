import type { CallOptions } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import { StoredDiskReader } from '../read/disk-reader.ts';
import type { RestorePoint } from '../repository-api.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import type { DiskBase } from './disk-difference.ts';

type ReadableParts = Pick<RepositoryParts, 'store' | 'config' | 'index' | 'chunks' | 'damage' | 'points'>;

/** An earlier copy that a point is compared with, and the same point in the source when digests differ. */
export interface PointBase {
  readonly compare: RestorePoint;
  readonly parent: RestorePoint;
}

/** Manifests that cannot be read are passed over, but not without end. */
const MAX_TRIES = 8;

/**
 * The point of the same VM in the target that is nearest to `point`: the last before it, else the first after it. Where digests differ it must still be in
 * the source too, because only there can it be compared; any point of the group will do otherwise, whoever wrote it.
 */
export async function findBase(
  point: Pick<RestorePoint, 'id' | 'group'>,
  source: ReadableParts,
  target: ReadableParts,
  sameDigests: boolean,
  call: CallOptions,
): Promise<PointBase | undefined> {
  const { id, group } = point;
  const inTarget = (await target.points.places({ group }, call)).filter((place) => place.id !== id);
  const inSource = sameDigests ? undefined : new Set((await source.points.places({ group }, call)).map((place) => place.id));
  const usable = inTarget.filter((place) => inSource?.has(place.id) ?? true).map((place) => place.id);
  const nearest = [...usable.filter((other) => other < id).reverse(), ...usable.filter((other) => other > id)];
  for (const other of nearest.slice(0, MAX_TRIES)) {
    const parent = await readIfPossible(target, group, other, call);
    const compare = sameDigests ? parent : await readIfPossible(source, group, other, call);
    if (parent && compare && (sameDigests || firstCommitted(parent, target) === firstCommitted(compare, source))) return { compare, parent };
  }
  return undefined;
}

/** The repository in which a point came to be. */
export function firstCommitted(point: RestorePoint, parts: Pick<RepositoryParts, 'config'>): string {
  return point.origin ?? parts.config.id;
}

async function readIfPossible(parts: ReadableParts, group: string, id: string, call: CallOptions): Promise<RestorePoint | undefined> {
  try {
    return await parts.points.read({ group, id }, call);
  } catch (error) {
    if (isRepositoryError(error, 'REPO_MANIFEST_INVALID', 'REPO_UNSUPPORTED_VERSION', 'REPO_OBJECT_MISSING')) return undefined;
    throw error;
  }
}

/** Undefined when the earlier point had no such disk. */
export function diskBase(base: PointBase | undefined, diskKey: string, source: ReadableParts, target: ReadableParts): DiskBase | undefined {
  const parent = base?.parent.disks.find(({ key }) => key === diskKey);
  const compare = base?.compare.disks.find(({ key }) => key === diskKey);
  if (!base || !parent || !compare || parent.sizeBytes !== compare.sizeBytes) return undefined;
  const held = new StoredDiskReader(base.parent, parent, { ...target, repositoryId: target.config.id });
  return {
    parent: held,
    compare: base.compare === base.parent ? held : new StoredDiskReader(base.compare, compare, { ...source, repositoryId: source.config.id }),
  };
}
