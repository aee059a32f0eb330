import { z } from 'zod';
import type { Named } from './api.ts';
import { attributes, element, int, list, many, optionalInt, readObject, text, textOf } from './fields.ts';
import {
  type Attributes,
  type Datastore,
  datastoreId,
  type Group,
  type Host,
  type HostPciDevice,
  hostId,
  type Template,
  templateId,
  type User,
} from './model.ts';
import { ownership, toOwned } from './parse-owned.ts';
import { quotaFields, toQuotas } from './parse-quotas.ts';

const datastore = z
  .object({
    ID: int,
    NAME: text,
    ...ownership,
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
      ...toOwned(raw),
      type: raw.TYPE,
      state: raw.STATE,
      dsMad: raw.DS_MAD,
      tmMad: raw.TM_MAD,
      totalMiB: raw.TOTAL_MB,
      freeMiB: raw.FREE_MB,
      usedMiB: raw.USED_MB,
      availableMiB: availableMiB(raw.FREE_MB, raw.USED_MB, raw.TEMPLATE),
      capacityCheck: yesOrNo(raw.TEMPLATE, 'DATASTORE_CAPACITY_CHECK'),
      clusterIds: raw.CLUSTERS.ID,
      template: raw.TEMPLATE,
    }),
  );

/** Datastore::get_avail_mb. */
function availableMiB(free: number, used: number, template: Attributes): number {
  const limit = Number.parseInt(textOf(template['LIMIT_MB']) ?? '', 10);
  return Math.max(0, Number.isNaN(limit) ? free : Math.min(free, limit - used));
}

function yesOrNo(template: Attributes, name: string): boolean | undefined {
  const value = textOf(template[name])?.toUpperCase();
  return value === undefined ? undefined : value === 'YES';
}

const absent = optionalInt.transform((value) => value ?? 0);

const pciDevice = z
  .object({ SHORT_ADDRESS: text.default(''), VENDOR: text.default(''), DEVICE: text.default(''), CLASS: text.default(''), VMID: optionalInt })
  .transform(
    (raw): HostPciDevice => ({
      shortAddress: raw.SHORT_ADDRESS,
      vendor: raw.VENDOR,
      device: raw.DEVICE,
      class: raw.CLASS,
      vmId: raw.VMID === undefined || raw.VMID < 0 ? undefined : raw.VMID,
    }),
  );

const host = z
  .object({
    ID: int,
    NAME: text,
    STATE: int,
    VM_MAD: text,
    CLUSTER_ID: int,
    CLUSTER: text.default(''),
    HOST_SHARE: element({
      MAX_CPU: absent,
      CPU_USAGE: absent,
      MAX_MEM: absent,
      MEM_USAGE: absent,
      DATASTORES: element({ DS: many(z.object({ ID: int, TOTAL_MB: absent, FREE_MB: absent, USED_MB: absent })) }),
      PCI_DEVICES: element({ PCI: many(pciDevice) }),
    }),
    TEMPLATE: attributes,
  })
  .transform(
    (raw): Omit<Host, 'xml'> => ({
      id: hostId(raw.ID),
      name: raw.NAME,
      state: raw.STATE,
      vmMad: raw.VM_MAD,
      clusterId: raw.CLUSTER_ID,
      clusterName: raw.CLUSTER,
      capacity: {
        maxCpu: raw.HOST_SHARE.MAX_CPU,
        usedCpu: raw.HOST_SHARE.CPU_USAGE,
        maxMemoryKiB: raw.HOST_SHARE.MAX_MEM,
        usedMemoryKiB: raw.HOST_SHARE.MEM_USAGE,
      },
      datastores: raw.HOST_SHARE.DATASTORES.DS.map((one) => ({
        id: datastoreId(one.ID),
        totalMiB: one.TOTAL_MB,
        freeMiB: one.FREE_MB,
        usedMiB: one.USED_MB,
      })),
      pciDevices: raw.HOST_SHARE.PCI_DEVICES.PCI,
      template: raw.TEMPLATE,
    }),
  );

const template = z
  .object({ ID: int, NAME: text, REGTIME: int, ...ownership, TEMPLATE: attributes })
  .transform((raw): Omit<Template, 'xml'> => ({ id: templateId(raw.ID), name: raw.NAME, registeredAt: raw.REGTIME, ...toOwned(raw), template: raw.TEMPLATE }));

const user = z.object({ ID: int, NAME: text, GID: int, GROUPS: element({ ID: list(int) }), TEMPLATE: attributes, ...quotaFields }).transform(
  (raw): Omit<User, 'xml'> => ({
    id: raw.ID,
    name: raw.NAME,
    gid: raw.GID,
    groupIds: raw.GROUPS.ID,
    template: raw.TEMPLATE,
    quotas: toQuotas(raw),
  }),
);

const group = z
  .object({ ID: int, NAME: text, USERS: element({ ID: many(int) }), ADMINS: element({ ID: many(int) }), TEMPLATE: attributes, ...quotaFields })
  .transform(
    (raw): Omit<Group, 'xml'> => ({
      id: raw.ID,
      name: raw.NAME,
      userIds: raw.USERS.ID,
      adminIds: raw.ADMINS.ID,
      template: raw.TEMPLATE,
      quotas: toQuotas(raw),
    }),
  );

const configuration = attributes;

export const parseDatastore = (xml: string): Datastore => ({ ...readObject(xml, 'DATASTORE', datastore), xml });
export const parseHost = (xml: string): Host => ({ ...readObject(xml, 'HOST', host), xml });
export const parseTemplate = (xml: string): Template => ({ ...readObject(xml, 'VMTEMPLATE', template), xml });
export const parseUser = (xml: string): User => ({ ...readObject(xml, 'USER', user), xml });
export const parseGroup = (xml: string): Group => ({ ...readObject(xml, 'GROUP', group), xml });

/** Ids and names of a pool of users or groups: their quotas stand between them (UserPool::dump). */
export function parseNames(xml: string, child: 'USER' | 'GROUP'): Named[] {
  const pool = z.object({ [child]: many(z.object({ ID: int, NAME: text })) }).transform((raw) => raw[child] ?? []);
  return readObject(xml, `${child}_POOL`, pool).map(({ ID, NAME }) => ({ id: ID, name: NAME }));
}

/** oned.conf, as much of it as the caller may see. */
export const parseConfiguration = (xml: string): Attributes => readObject(xml, 'OPENNEBULA_CONFIGURATION', configuration);
