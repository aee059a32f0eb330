import { z } from 'zod';
import { int, optionalText, yesNo } from './fields.ts';
import { type Snapshot, snapshotId } from './model.ts';

/** SNAPSHOTS/SNAPSHOT of a VM's disk and of an image (src/vm/Snapshots.cc). CHILDREN is `2,3`; PARENT -1 is the base. */
export const snapshot = z
  .object({
    ID: int,
    NAME: optionalText,
    ACTIVE: yesNo,
    PARENT: int.default(-1),
    CHILDREN: optionalText.transform((ids) => (ids ?? '').split(',').filter((id) => id !== '')),
    DATE: int,
    SIZE: int,
  })
  .transform(
    (raw): Snapshot => ({
      id: snapshotId(raw.ID),
      name: raw.NAME,
      active: raw.ACTIVE,
      parent: raw.PARENT,
      children: raw.CHILDREN.map((id) => snapshotId(Number(id))),
      date: raw.DATE,
      sizeMiB: raw.SIZE,
    }),
  );
