import { z } from 'zod';
import { attributes, element, int, many, optionalInt, optionalText, readObject, text } from './fields.ts';
import type { AddressRange, Lease, Network } from './model.ts';
import { ownership, toOwned } from './parse-owned.ts';

/** VM -1 is an address that an administrator holds (AddressRange::hold_by_ip). */
const lease = z
  .object({ IP: optionalText, IP6: optionalText, MAC: optionalText, VM: optionalInt })
  .transform((raw): Lease => ({ ip: raw.IP, ip6: raw.IP6, mac: raw.MAC, vmId: raw.VM === undefined || raw.VM < 0 ? undefined : raw.VM }));

const range = z
  .object({
    AR_ID: int,
    TYPE: text.default(''),
    IP: optionalText,
    IP6: optionalText,
    MAC: optionalText,
    SIZE: int,
    USED_LEASES: optionalInt,
    LEASES: element({ LEASE: many(lease) }),
  })
  .transform(
    (raw): AddressRange => ({
      id: raw.AR_ID,
      type: raw.TYPE,
      firstIp: raw.IP,
      firstIp6: raw.IP6,
      firstMac: raw.MAC,
      size: raw.SIZE,
      used: raw.USED_LEASES ?? raw.LEASES.LEASE.length,
      leases: raw.LEASES.LEASE,
    }),
  );

const network = z
  .object({
    ID: int,
    NAME: text,
    ...ownership,
    UNAME: text.default(''),
    CLUSTERS: element({ ID: many(int) }),
    VN_MAD: text.default(''),
    USED_LEASES: optionalInt,
    AR_POOL: element({ AR: many(range) }),
    TEMPLATE: attributes,
  })
  .transform(
    (raw): Omit<Network, 'xml'> => ({
      id: raw.ID,
      name: raw.NAME,
      ...toOwned(raw),
      userName: raw.UNAME,
      clusterIds: raw.CLUSTERS.ID,
      vnMad: raw.VN_MAD,
      usedLeases: raw.USED_LEASES ?? 0,
      ranges: raw.AR_POOL.AR,
      template: raw.TEMPLATE,
    }),
  );

/** one.vn.info, or one element of one.vnpool.info, which has no leases. */
export function parseNetwork(xml: string): Network {
  return { ...readObject(xml, 'VNET', network), xml };
}
