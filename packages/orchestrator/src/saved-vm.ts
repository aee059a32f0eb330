import type { RestorePoint } from '@onevault/backup-format';
import { BaseError, type CallOptions, isAbort } from '@onevault/base';
import { type Disk, type Image, parseImage, parseVm, type Vm } from '@onevault/one-client';
import { JobError } from './errors.ts';
import type { LookDeps } from './ports.ts';
import { type VmWithSecrets, withKeptSecrets } from './restore-secrets.ts';

/** The VM as it was when the point was made, with the secrets that were kept of it. JOB_METADATA_INVALID when its body cannot be read. */
export async function readSavedVm(deps: Pick<LookDeps, 'cloud' | 'repository'>, point: RestorePoint, options: CallOptions): Promise<VmWithSecrets> {
  const saved = await savedVm(deps, point, options);
  try {
    return await withKeptSecrets(deps, point, saved, options);
  } catch (error) {
    if (error instanceof BaseError || isAbort(error)) throw error;
    throw invalidMetadata(point, 'has secrets beside it that cannot be read', error);
  }
}

async function savedVm(deps: Pick<LookDeps, 'repository'>, point: RestorePoint, options: CallOptions): Promise<Vm> {
  const body = await deps.repository.readMetadata(point, 'vm.xml', options);
  try {
    return parseVm(new TextDecoder().decode(body));
  } catch (error) {
    throw invalidMetadata(point, 'cannot be read', error);
  }
}

/** The image of a disk as it was; undefined when its body could not be read when the point was made. */
export async function readSavedImage(deps: Pick<LookDeps, 'repository'>, point: RestorePoint, disk: Disk, options: CallOptions): Promise<Image | undefined> {
  const name = `images/${disk.imageId}.xml`;
  if (!point.metadata.some((file) => file.name === name)) return undefined;
  const body = new TextDecoder().decode(await deps.repository.readMetadata(point, name, options));
  try {
    return parseImage(body);
  } catch (error) {
    throw invalidMetadata(point, `has an image body (${name}) that cannot be read`, error);
  }
}

/** Version of the OpenNebula that the point was made in. */
export function savedVersion(point: RestorePoint): string | undefined {
  const cloud = point.annotations['cloud'];
  if (cloud === null || typeof cloud !== 'object' || !('version' in cloud)) return undefined;
  const version = cloud['version'];
  return typeof version === 'string' ? version : undefined;
}

export function invalidMetadata(point: RestorePoint, why: string, cause?: unknown): JobError {
  return new JobError({
    code: 'JOB_METADATA_INVALID',
    message: `the VM body saved in restore point ${point.id} ${why}`,
    details: { pointId: point.id },
    hint: 'onevault verify tells whether the repository is damaged; another restore point of the VM may be whole',
    ...(cause !== undefined && { cause }),
  });
}
