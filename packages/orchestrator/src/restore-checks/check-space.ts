import type { Datastore } from '@onevault/one-client';
import { text } from '../attributes.ts';
import { concern, fine, type RestoreFinding } from './restore-finding.ts';
import type { RestoreScene } from './restore-scene.ts';
import { fittingSystems, transferTarget } from './system-datastore.ts';

/** Room for the images where they are made, and for what the VM takes of the system datastore when it is placed. */
export function checkSpace(scene: RestoreScene): RestoreFinding[] {
  const { datastores } = scene.surroundings;
  if (datastores === undefined) return [concern('unknown', 'SPACE_UNKNOWN', 'datastores', 'they cannot be read', 'give the user USE on the datastores')];
  const ids = [...new Set(scene.plan.images.map(({ spec }) => spec.datastore))];
  return [
    ...ids.flatMap((id) =>
      imageSpace(
        scene,
        datastores.find((entry) => entry.id === id),
      ),
    ),
    ...systemSpace(scene, datastores),
  ];
}

/** Virtual sizes, as oned counts them when it allocates an image (src/rm/api/ImageAPI.cc), by the figures of the last monitoring. */
function imageSpace({ plan }: RestoreScene, datastore: Datastore | undefined): RestoreFinding[] {
  if (datastore === undefined) return [];
  const specs = plan.images.filter(({ spec }) => spec.datastore === datastore.id).map(({ spec }) => spec);
  const final = specs.reduce((sum, { sizeMiB }) => sum + sizeMiB, 0);
  // All images are allocated before the first is written; saveas has both at once, the empty one and the saved one, of the disk in its turn.
  const beside = Math.max(0, ...specs.filter(({ method }) => method === 'saveas').map(({ sizeMiB }) => sizeMiB));
  const what = `datastore ${datastore.id} ${datastore.name}`;
  const need = `${final} MiB for ${specs.length === 1 ? 'an image' : `${specs.length} images`}${beside > 0 ? ` and ${beside} MiB beside while one is saved` : ''}`;
  const why = `${need}; ${datastore.availableMiB} MiB are left`;
  if (final + beside <= datastore.availableMiB) return [fine('SPACE_IMAGE', what, why)];
  const remedy = 'make room in it, raise its LIMIT_MB, or choose another one (--image-datastore)';
  return [concern(datastore.capacityCheck === false ? 'warning' : 'error', 'SPACE_IMAGE', what, why, remedy)];
}

function systemSpace(scene: RestoreScene, datastores: readonly Datastore[]): RestoreFinding[] {
  const fitting = fittingSystems(scene, datastores);
  if (fitting.length === 0) return []; // said by the placement
  const rooms = fitting.map((system) => ({ system, need: systemNeed(scene, datastores, system), left: leftIn(scene, system) }));
  const best = rooms.find(({ need, left }) => left !== undefined && need <= left) ?? rooms.find(({ left }) => left === undefined);
  const { system, need, left } = best ?? rooms[0] ?? { system: undefined, need: 0, left: 0 };
  if (system === undefined) return [];
  const what = `system datastore ${system.id} ${system.name}`;
  if (left === undefined)
    return [concern('unknown', 'SPACE_SYSTEM', what, `${need} MiB are needed; what is left is on hosts that cannot be read`, 'ask an administrator')];
  const why = `${need} MiB for disks that are copied there or volatile; ${left} MiB are left`;
  if (best !== undefined) return [fine('SPACE_SYSTEM', what, why)];
  return [concern('error', 'SPACE_SYSTEM', what, why, 'make room, or choose another one (--system-datastore)')];
}

/** Volatile disks, and what the transfer driver puts there of the others (CLONE_TARGET, LN_TARGET). */
function systemNeed({ plan }: RestoreScene, datastores: readonly Datastore[], system: Datastore): number {
  const volatile = plan.volatile.reduce((sum, disk) => sum + disk.sizeMiB, 0);
  return plan.images.reduce((sum, { spec }) => {
    const datastore = datastores.find((entry) => entry.id === spec.datastore);
    return datastore !== undefined && transferTarget(datastore, system, spec.persistent) === 'SYSTEM' ? sum + spec.sizeMiB : sum;
  }, volatile);
}

/** Of a datastore that is not shared the hosts know it. */
function leftIn({ hosts }: RestoreScene, system: Datastore): number | undefined {
  if (text(system.template['SHARED'])?.toUpperCase() !== 'NO') return system.totalMiB === 0 ? undefined : system.availableMiB;
  const free = hosts?.flatMap((host) => host.datastores.filter(({ id }) => id === system.id).map(({ freeMiB }) => freeMiB)) ?? [];
  return free.length === 0 ? undefined : Math.max(...free);
}
