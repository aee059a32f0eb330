import type { z } from 'zod';
import { element, many, vector } from './fields.ts';
import type { QuotaKind, QuotaRow, Quotas, QuotaTable } from './model.ts';

/** `DATASTORE_QUOTA/DATASTORE` and its like (src/um/Quota.cc): a limit `SIZE` beside what is used, `SIZE_USED`. */
const row = vector.transform((fields): QuotaRow => {
  const numbers = Object.entries(fields).flatMap(([name, value]) => (name === 'ID' || !NUMBER.test(value) ? [] : [[name, Number(value)] as const]));
  const isUsed = (name: string): boolean => name.endsWith('_USED');
  return {
    id: fields['ID'] === undefined ? undefined : Number(fields['ID']),
    clusterIds: (fields['CLUSTER_IDS'] ?? '')
      .split(',')
      .filter((id) => /^\d+$/.test(id))
      .map(Number),
    limits: Object.fromEntries(numbers.filter(([name]) => !isUsed(name) && name !== 'CLUSTER_IDS')),
    used: Object.fromEntries(numbers.filter(([name]) => isUsed(name)).map(([name, value]) => [name.slice(0, -'_USED'.length), value])),
  };
});
const NUMBER = /^-?\d+(\.\d+)?$/;

const table = {
  DATASTORE_QUOTA: element({ DATASTORE: many(row) }),
  NETWORK_QUOTA: element({ NETWORK: many(row) }),
  VM_QUOTA: element({ VM: many(row) }),
  IMAGE_QUOTA: element({ IMAGE: many(row) }),
};
type RawTable = z.output<z.ZodObject<typeof table>>;

const toTable = (raw: RawTable): QuotaTable =>
  ({
    datastore: raw.DATASTORE_QUOTA.DATASTORE,
    network: raw.NETWORK_QUOTA.NETWORK,
    vm: raw.VM_QUOTA.VM,
    image: raw.IMAGE_QUOTA.IMAGE,
  }) satisfies Record<QuotaKind, readonly QuotaRow[]>;

/** The quota elements of a USER or GROUP body. */
export const quotaFields = { ...table, DEFAULT_USER_QUOTAS: element(table).optional(), DEFAULT_GROUP_QUOTAS: element(table).optional() };
type RawQuotas = z.output<z.ZodObject<typeof quotaFields>>;

const NONE: QuotaTable = { datastore: [], network: [], vm: [], image: [] };

export function toQuotas(raw: RawQuotas): Quotas {
  const defaults = raw.DEFAULT_USER_QUOTAS ?? raw.DEFAULT_GROUP_QUOTAS;
  return { own: toTable(raw), defaults: defaults ? toTable(defaults) : NONE };
}
