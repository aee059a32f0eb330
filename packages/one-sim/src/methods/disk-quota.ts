import { imageIdOf, isPersistent } from '../model/disk-vector.ts';
import type { Vm } from '../model/world-schema.ts';
import { QuotaRequest } from '../quotas/quota-check.ts';
import { diskTarget } from '../quotas/quota-usage.ts';
import type { Vector } from '../template/attributes.ts';
import { type Call, imageOf, requireQuota } from './call.ts';

/** The owner of the image pays for what a persistent disk grows by, and for one used in place (VirtualMachineDisk::resize_quotas). */
export function growsImage(disk: Vector): boolean {
  return imageIdOf(disk) !== undefined && (isPersistent(disk) || diskTarget(disk) === 'NONE');
}

/** A snapshot counts as another disk of its size, a resize by what is added: for the image's owner, the VM's owner, or as system disk. */
export function chargeGrowth(call: Call, vm: Vm, disk: Vector, deltaMiB: number): void {
  const datastoreId = disk['DATASTORE_ID'] ?? '';
  const inDatastore = (): QuotaRequest => new QuotaRequest().want('DATASTORE', datastoreId, { SIZE: deltaMiB });
  if (growsImage(disk)) requireQuota(call, imageOf(call, imageIdOf(disk) ?? -1), inDatastore());
  if (imageIdOf(disk) !== undefined && diskTarget(disk) === 'SELF') requireQuota(call, vm, inDatastore());
  if (diskTarget(disk) === 'SYSTEM') requireQuota(call, vm, new QuotaRequest().want('VM', '', { SYSTEM_DISK_SIZE: deltaMiB }));
}
