import { z } from 'zod';
import { attributes, element, int, list, readObject, text } from './fields.ts';
import { type Datastore, datastoreId, type Host, hostId, type Template, templateId, type User } from './model.ts';

const datastore = z
  .object({
    ID: int,
    NAME: text,
    TYPE: int,
    STATE: int,
    DS_MAD: text,
    TM_MAD: text,
    TOTAL_MB: int,
    FREE_MB: int,
    USED_MB: int,
    CLUSTERS: element({ ID: list(int) }),
    TEMPLATE: attributes,
  })
  .transform(
    (raw): Omit<Datastore, 'xml'> => ({
      id: datastoreId(raw.ID),
      name: raw.NAME,
      type: raw.TYPE,
      state: raw.STATE,
      dsMad: raw.DS_MAD,
      tmMad: raw.TM_MAD,
      totalMiB: raw.TOTAL_MB,
      freeMiB: raw.FREE_MB,
      usedMiB: raw.USED_MB,
      clusterIds: raw.CLUSTERS.ID,
      template: raw.TEMPLATE,
    }),
  );

const host = z
  .object({ ID: int, NAME: text, STATE: int, VM_MAD: text, CLUSTER_ID: int })
  .transform((raw): Omit<Host, 'xml'> => ({ id: hostId(raw.ID), name: raw.NAME, state: raw.STATE, vmMad: raw.VM_MAD, clusterId: raw.CLUSTER_ID }));

const template = z.object({ ID: int, NAME: text }).transform((raw): Omit<Template, 'xml'> => ({ id: templateId(raw.ID), name: raw.NAME }));

const user = z
  .object({ ID: int, NAME: text, GROUPS: element({ ID: list(int) }) })
  .transform((raw): Omit<User, 'xml'> => ({ id: raw.ID, name: raw.NAME, groupIds: raw.GROUPS.ID }));

export const parseDatastore = (xml: string): Datastore => ({ ...readObject(xml, 'DATASTORE', datastore), xml });
export const parseHost = (xml: string): Host => ({ ...readObject(xml, 'HOST', host), xml });
export const parseTemplate = (xml: string): Template => ({ ...readObject(xml, 'VMTEMPLATE', template), xml });
export const parseUser = (xml: string): User => ({ ...readObject(xml, 'USER', user), xml });
