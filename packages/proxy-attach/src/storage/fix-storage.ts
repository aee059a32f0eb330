import { join } from 'node:path';
import type { CallOptions } from '@onevault/base';
import { checkProxyStorage } from './check-storage.ts';
import { planLvmFix } from './lvm.ts';
import { planMdadmFix } from './mdadm.ts';
import { planMultipathFix } from './multipath.ts';
import { type OwnDevices, readOwnDevices } from './own-devices.ts';
import { replaceFile } from './replace-file.ts';
import { type RootFiles, rootFiles } from './root-files.ts';
import type { FileChange, FixPlan, StorageCode, StorageFinding } from './storage-finding.ts';
import { planUdevFix } from './udev-rule.ts';

export interface StorageFix {
  /** Files written, with where the text they had is kept; undefined for a file that is new. */
  readonly changed: readonly { readonly path: string; readonly backup: string | undefined }[];
  /** What was not changed, and why. */
  readonly refused: readonly { readonly code: StorageCode; readonly why: string }[];
  /** What a second check says of it all. */
  readonly remaining: readonly StorageFinding[];
}

const PLANS: Readonly<Partial<Record<StorageCode, (files: RootFiles, own: OwnDevices) => Promise<FixPlan> | FixPlan>>> = {
  UDEV_RULE_MISSING: planUdevFix,
  BTRFS_REGISTERS_ATTACHED_DISKS: planUdevFix,
  BCACHE_REGISTERS_ATTACHED_DISKS: planUdevFix,
  AUTOMOUNT_MAY_MOUNT: planUdevFix,
  LVM_SEES_ATTACHED_DISKS: planLvmFix,
  LVM_OWN_DISK_REJECTED: planLvmFix,
  MULTIPATH_TAKES_ATTACHED_DISKS: planMultipathFix,
  MDADM_ASSEMBLES_ATTACHED_DISKS: planMdadmFix,
};

/**
 * Makes the settings that `findings` of `checkProxyStorage` ask for, as far as they are fixable: each file is replaced whole and durably, the text it
 * had before the first fix is kept beside it, and a file that is not understood stays as it is. Doing it again changes nothing. Only files are
 * written; that running services read them again (the `fix` of each finding says how) is the caller's to do or to say.
 */
export async function fixProxyStorage(root: string, findings: readonly StorageFinding[], options: CallOptions = {}): Promise<StorageFix> {
  const files = rootFiles(root);
  const own = await readOwnDevices(root);
  const changed: { path: string; backup: string | undefined }[] = [];
  const refused: { code: StorageCode; why: string }[] = [];
  for (const { code, fixable } of findings) {
    options.signal?.throwIfAborted();
    const plan = code === undefined || !fixable ? undefined : await PLANS[code]?.(files, own);
    if (code === undefined || plan === undefined) continue;
    if ('refused' in plan) refused.push({ code, why: plan.refused });
    else changed.push(...(await carryOut(root, files, plan.changes)));
  }
  return { changed, refused, remaining: await checkProxyStorage(root, options) };
}

async function carryOut(root: string, files: RootFiles, changes: readonly FileChange[]): Promise<StorageFix['changed']> {
  const changed: StorageFix['changed'][number][] = [];
  for (const { path, text } of changes) {
    if ((await files.text(path)) === text) continue;
    const backup = await replaceFile(join(root, path), text);
    changed.push({ path, backup: backup === undefined ? undefined : `${path}${backup}` });
  }
  return changed;
}
