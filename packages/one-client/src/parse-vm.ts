import { z } from 'zod';
import { parseBody } from './body.ts';
import { attributes, element, int, list, many, optionalInt, optionalNumber, optionalText, readObject, shaped, text, textOf, vector, yesNo } from './fields.ts';
import { type Disk, type DiskSnapshots, datastoreId, diskId, type HistoryRecord, hostId, imageId, type Vm, type VmSummary, vmId } from './model.ts';
import { ownership, toOwned } from './parse-owned.ts';
import { snapshot } from './parse-snapshots.ts';

const disk = z
  .object({
    DISK_ID: int,
    IMAGE_ID: optionalInt,
    IMAGE: optionalText,
    DATASTORE_ID: optionalInt,
    DATASTORE: optionalText,
    TYPE: text,
    FORMAT: optionalText,
    SIZE: int,
    // Absent on FILESYSTEM disks (7.2 and later), which are mounted by tag.
    TARGET: text.default(''),
    DEV_PREFIX: optionalText,
    SERIAL: optionalText,
    PERSISTENT: yesNo,
    CLONE: yesNo,
    READONLY: yesNo,
    TM_MAD: optionalText,
  })
  .transform(
    (raw): Omit<Disk, 'attributes'> => ({
      diskId: diskId(raw.DISK_ID),
      imageId: raw.IMAGE_ID === undefined ? undefined : imageId(raw.IMAGE_ID),
      imageName: raw.IMAGE,
      datastoreId: raw.DATASTORE_ID === undefined ? undefined : datastoreId(raw.DATASTORE_ID),
      datastoreName: raw.DATASTORE,
      type: raw.TYPE,
      format: raw.FORMAT,
      sizeMiB: raw.SIZE,
      target: raw.TARGET,
      devPrefix: raw.DEV_PREFIX,
      serial: raw.SERIAL,
      persistent: raw.PERSISTENT,
      clone: raw.CLONE,
      readonly: raw.READONLY,
      tmMad: raw.TM_MAD,
    }),
  );

const diskWithAttributes = z.intersection(
  disk,
  vector.transform((all) => ({ attributes: all })),
);

const diskSnapshots = z.object({ DISK_ID: int, ALLOW_ORPHANS: text.default('NO'), NEXT_SNAPSHOT: int, SNAPSHOT: list(snapshot) }).transform(
  (raw): DiskSnapshots => ({
    diskId: diskId(raw.DISK_ID),
    allowOrphans: raw.ALLOW_ORPHANS,
    nextSnapshot: raw.NEXT_SNAPSHOT,
    snapshots: raw.SNAPSHOT,
  }),
);

const history = z
  .object({
    SEQ: int,
    STIME: int.default(0),
    HOSTNAME: text,
    HID: int,
    CID: int,
    DS_ID: int,
    VM_MAD: text.default(''),
    TM_MAD: text.default(''),
    ACTION: int.default(0),
  })
  .transform(
    (raw): HistoryRecord => ({
      seq: raw.SEQ,
      startTime: raw.STIME,
      hostName: raw.HOSTNAME,
      hostId: hostId(raw.HID),
      clusterId: raw.CID,
      datastoreId: datastoreId(raw.DS_ID),
      vmMad: raw.VM_MAD,
      tmMad: raw.TM_MAD,
      action: raw.ACTION,
    }),
  );

const identity = { ID: int, NAME: text, UID: int, GID: int, UNAME: text, GNAME: text, STATE: int, LCM_STATE: int, STIME: int, DEPLOY_ID: text.default('') };

const summary = z
  .object({
    ...identity,
    TEMPLATE: element({ DISK: list(z.object({ SIZE: optionalInt })), MEMORY: optionalNumber, CPU: optionalNumber }),
    HISTORY_RECORDS: element({ HISTORY: list(z.object({ HOSTNAME: text })) }),
  })
  .transform(
    (raw): VmSummary => ({
      id: vmId(raw.ID),
      name: raw.NAME,
      uid: raw.UID,
      gid: raw.GID,
      userName: raw.UNAME,
      groupName: raw.GNAME,
      state: raw.STATE,
      lcmState: raw.LCM_STATE,
      startTime: raw.STIME,
      deployId: raw.DEPLOY_ID,
      hostName: raw.HISTORY_RECORDS.HISTORY.at(-1)?.HOSTNAME,
      diskCount: raw.TEMPLATE.DISK.length,
      diskSizeMiB: raw.TEMPLATE.DISK.reduce((sum, one) => sum + (one.SIZE ?? 0), 0),
      memoryMiB: raw.TEMPLATE.MEMORY,
      cpu: raw.TEMPLATE.CPU,
    }),
  );

const details = z
  .object({
    ...ownership,
    PREV_STATE: int,
    TEMPLATE: element({
      DISK: list(diskWithAttributes),
      OS: element({ UUID: optionalText, MACHINE: optionalText }),
      FEATURES: element({ GUEST_AGENT: yesNo }),
      CONTEXT: element({ DISK_ID: optionalInt, TARGET: optionalText }),
    }),
    SNAPSHOTS: list(diskSnapshots),
    HISTORY_RECORDS: element({ HISTORY: list(history) }),
    BACKUPS: element({ BACKUP_CONFIG: vector, BACKUP_IDS: element({ ID: many(int) }) }),
  })
  .transform((raw) => ({
    ...toOwned(raw),
    prevState: raw.PREV_STATE,
    uuid: raw.TEMPLATE.OS.UUID,
    machine: raw.TEMPLATE.OS.MACHINE,
    guestAgent: raw.TEMPLATE.FEATURES.GUEST_AGENT,
    disks: raw.TEMPLATE.DISK,
    contextDisk: raw.TEMPLATE.CONTEXT.DISK_ID === undefined ? undefined : { diskId: diskId(raw.TEMPLATE.CONTEXT.DISK_ID), target: raw.TEMPLATE.CONTEXT.TARGET },
    snapshots: raw.SNAPSHOTS,
    history: raw.HISTORY_RECORDS.HISTORY,
    backupConfig: raw.BACKUPS.BACKUP_CONFIG,
    backupIds: raw.BACKUPS.BACKUP_IDS.ID.map(imageId),
    lockLevel: raw.LOCK.LOCKED,
  }));

const templates = z.object({ MONITORING: attributes, TEMPLATE: attributes, USER_TEMPLATE: attributes }).transform((raw) => ({
  monitoring: raw.MONITORING,
  template: raw.TEMPLATE,
  userTemplate: raw.USER_TEMPLATE,
  error: textOf(raw.USER_TEMPLATE['ERROR']),
  schedMessage: textOf(raw.USER_TEMPLATE['SCHED_MESSAGE']),
}));

/** A full body: one.vm.info, or one element of one.vmpool.infoextended. */
export function parseVm(xml: string): Vm {
  const body = parseBody(xml, 'VM');
  return { ...shaped(body, 'VM', summary), ...shaped(body, 'VM', details), ...shaped(body, 'VM', templates), xml };
}

/** One element of one.vmpool.info, whose bodies are cut short (no SNAPSHOTS, no CONTEXT, few DISK attributes); a full body will do too. */
export function parseVmSummary(xml: string): VmSummary {
  return readObject(xml, 'VM', summary);
}
