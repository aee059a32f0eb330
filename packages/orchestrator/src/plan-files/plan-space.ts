import type { Datastore } from '@onevault/one-client';
import { concern, fine, type RestoreFinding } from '../restore-checks/restore-finding.ts';

/** Room that one VM of a plan takes for an image. */
export interface PlanNeed {
  readonly datastore: number;
  readonly sizeMiB: number;
}

/** Whether the images of all VMs together have room: each by itself may well fit. Pure. */
export function planSpace(needs: readonly PlanNeed[], datastores: readonly Datastore[]): RestoreFinding[] {
  return datastores.flatMap((datastore) => {
    const sizes = needs.filter((need) => need.datastore === datastore.id).map(({ sizeMiB }) => sizeMiB);
    if (sizes.length === 0) return [];
    const sum = sizes.reduce((total, sizeMiB) => total + sizeMiB, 0);
    const what = `datastore ${datastore.id} ${datastore.name}`;
    const why = `the plan needs ${sum} MiB for ${sizes.length} images; ${datastore.availableMiB} MiB are left`;
    if (sum <= datastore.availableMiB) return [fine('PLAN_SPACE', what, why)];
    const remedy = 'make room in it, raise its LIMIT_MB, or send some VMs elsewhere (imageDatastore)';
    return [concern(datastore.capacityCheck === false ? 'warning' : 'error', 'PLAN_SPACE', what, why, remedy)];
  });
}
