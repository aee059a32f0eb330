import { type CallOptions, type Clock, errorCode, type Logger, type SerializedError, serializeError } from '@onevault/base';
import { imageId, templateId, vmId } from '@onevault/one-client';
import type { Attachers } from '../cloud/attachment-of-proxy.ts';
import { unlessGone } from '../cloud/gone.ts';
import { kindOf, type UndoDeps } from '../cloud/object-kinds.ts';
import { type Obstacle, whyNotRemovable } from '../cloud/why-not-removable.ts';
import { DEFAULT_PATIENCE, type Patience } from '../ports.ts';
import { isCloudLost, isFinal } from '../set-aside.ts';
import type { Orphan, OrphanDeps } from './find-orphans.ts';
import { claimImage, claimSnapshots, claimTemplate, claimVm, ownSerials } from './ownership.ts';

export interface RemoveOrphansDeps extends OrphanDeps, Attachers {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly patience?: Patience;
}

export interface RemovedOrphan extends Orphan {
  /**
   * gone: somebody was faster. changed: it does not carry the signs any more, and is left alone. stays: OpenNebula cannot remove it now (`error` says why);
   * it is noted, and tried again by every later run.
   */
  readonly outcome: 'removed' | 'gone' | 'changed' | 'stays' | 'failed';
  readonly error?: SerializedError;
}

/** Removes what was found, one after another in the order given; each is judged once more by what it says right before. Stops when OpenNebula is lost. */
export async function removeOrphans(deps: RemoveOrphansDeps, orphans: readonly Orphan[], options: CallOptions = {}): Promise<readonly RemovedOrphan[]> {
  const undo: UndoDeps = { patience: DEFAULT_PATIENCE, ...deps };
  const self = (await deps.cloud.whoAmI(options)).id;
  const done: RemovedOrphan[] = [];
  let lost: SerializedError | undefined;
  for (const orphan of orphans) {
    options.signal?.throwIfAborted();
    if (lost !== undefined) {
      done.push({ ...orphan, outcome: 'failed', error: lost });
      continue;
    }
    try {
      done.push({ ...orphan, ...(await removeOne(deps, undo, orphan, self)) });
    } catch (error) {
      if (isCloudLost(error)) lost = serializeError(error);
      done.push({ ...orphan, outcome: 'failed', error: serializeError(error) });
      deps.logger.warn({ orphan: orphan.label, error: serializeError(error) }, 'orphan not removed');
    }
  }
  return done;
}

type Ending = Pick<RemovedOrphan, 'outcome' | 'error'>;

async function removeOne(deps: RemoveOrphansDeps, undo: UndoDeps, orphan: Orphan, self: number): Promise<Ending> {
  const { object, id, runId } = orphan;
  const kind = kindOf(object);
  if (!(await isStillOurs(undo, orphan, self))) return { outcome: (await isThere(undo, orphan)) ? 'changed' : 'gone' };
  const obstacle = await whyNotRemovable(deps.cloud, runId, object, id);
  if (obstacle !== undefined) return stays(deps, orphan, obstacle);
  try {
    return { outcome: (await kind.remove(undo, runId, object, id)) ? 'removed' : 'gone' };
  } catch (error) {
    if (!isFinal(error)) throw error;
    const { code = 'INTERNAL', message } = serializeError(error);
    return stays(deps, orphan, { code, message });
  }
}

async function stays(deps: RemoveOrphansDeps, { runId, object, id }: Orphan, why: Obstacle): Promise<Ending> {
  const { cloud, clock, journals } = deps;
  await journals.residue.put({ key: `${runId}-${object.kind}-${id}`, runId, endpoint: cloud.endpoint.href, object, id, since: clock.now().toISOString(), why });
  return { outcome: 'stays', error: { name: 'Residue', ...why } };
}

async function isThere({ cloud }: UndoDeps, { object, id, runId }: Orphan): Promise<boolean> {
  try {
    return (await kindOf(object).find(cloud, runId, object, id, {})) !== undefined;
  } catch (error) {
    if (errorCode(error) === 'JOB_OBJECT_CHANGED') return true;
    throw error;
  }
}

async function isStillOurs({ cloud }: UndoDeps, { object, id, runId }: Orphan, self: number): Promise<boolean> {
  switch (object.kind) {
    case 'image': {
      const image = await unlessGone(cloud.image(imageId(id)));
      return image !== undefined && claimImage(image, self)?.runId === runId;
    }
    case 'template': {
      const template = await unlessGone(cloud.template(templateId(id)));
      return template !== undefined && claimTemplate(template, self)?.runId === runId;
    }
    case 'vm': {
      const vm = await unlessGone(cloud.vm(vmId(id)));
      return vm !== undefined && claimVm(vm, self)?.runId === runId;
    }
    case 'snapshot': {
      const vm = await unlessGone(cloud.vm(vmId(object.vmId)));
      return (
        vm !== undefined &&
        claimSnapshots(vm).some(
          (claim) => claim.runId === runId && claim.id === id && claim.object.kind === 'snapshot' && claim.object.diskId === object.diskId,
        )
      );
    }
    case 'attachment': {
      const proxy = await unlessGone(cloud.vm(vmId(object.proxyVmId)));
      const image = await unlessGone(cloud.image(imageId(object.imageId)));
      const there = proxy !== undefined && ownSerials(proxy).some((disk) => disk.serial === object.serial && disk.imageId === object.imageId);
      return there && image !== undefined && claimImage(image, self)?.runId === runId;
    }
  }
}
