import { z } from 'zod';
import { attributes, element, int, list, optionalText, readObject, text, textOf } from './fields.ts';
import { datastoreId, type Image, imageId, vmId } from './model.ts';
import { ownership, toOwned } from './parse-owned.ts';
import { snapshot } from './parse-snapshots.ts';

const image = z
  .object({
    ID: int,
    NAME: text,
    ...ownership,
    UNAME: text,
    GNAME: text,
    TYPE: int,
    STATE: int,
    PERSISTENT: int,
    FORMAT: text.default(''),
    FS: text.default(''),
    SOURCE: optionalText,
    SIZE: int,
    DATASTORE_ID: int,
    DATASTORE: text,
    RUNNING_VMS: int,
    VMS: element({ ID: list(int) }),
    REGTIME: int,
    SNAPSHOTS: element({ SNAPSHOT: list(snapshot) }),
    TEMPLATE: attributes,
  })
  .transform(
    (raw): Omit<Image, 'xml'> => ({
      id: imageId(raw.ID),
      name: raw.NAME,
      ...toOwned(raw),
      userName: raw.UNAME,
      groupName: raw.GNAME,
      type: raw.TYPE,
      state: raw.STATE,
      persistent: raw.PERSISTENT === 1,
      format: raw.FORMAT,
      fileSystem: raw.FS,
      source: raw.SOURCE,
      sizeMiB: raw.SIZE,
      datastoreId: datastoreId(raw.DATASTORE_ID),
      datastoreName: raw.DATASTORE,
      runningVms: raw.RUNNING_VMS,
      vmIds: raw.VMS.ID.map(vmId),
      registeredAt: raw.REGTIME,
      snapshotCount: raw.SNAPSHOTS.SNAPSHOT.length,
      snapshots: raw.SNAPSHOTS.SNAPSHOT,
      error: textOf(raw.TEMPLATE['ERROR']),
      template: raw.TEMPLATE,
    }),
  );

/** one.image.info, or one element of one.imagepool.info: the same body. */
export function parseImage(xml: string): Image {
  return { ...readObject(xml, 'IMAGE', image), xml };
}
