import { z } from 'zod';
import { int, readObject, text } from './fields.ts';
import type { User } from './model.ts';

/** Kinds of objects that matter here, with their bit in a rule (include/PoolObjectSQL.h). */
const RESOURCE_BITS = {
  VM: 0x0000_0010_0000_0000n,
  HOST: 0x0000_0020_0000_0000n,
  NET: 0x0000_0040_0000_0000n,
  IMAGE: 0x0000_0080_0000_0000n,
  USER: 0x0000_0100_0000_0000n,
  TEMPLATE: 0x0000_0200_0000_0000n,
  GROUP: 0x0000_0400_0000_0000n,
  DATASTORE: 0x0000_1000_0000_0000n,
  CLUSTER: 0x0000_2000_0000_0000n,
  ZONE: 0x0000_8000_0000_0000n,
  SECGROUP: 0x0001_0000_0000_0000n,
  VMGROUP: 0x0020_0000_0000_0000n,
} as const;
export type ResourceKind = keyof typeof RESOURCE_BITS;

const RIGHT_BITS = { use: 1n, manage: 2n, admin: 4n, create: 8n } as const;

/** Whom or what a rule selects (src/acl/AclRule.cc): one by id, a group's, a cluster's, or all. */
const INDIVIDUAL = 0x1_0000_0000n;
const GROUP = 0x2_0000_0000n;
const ALL = 0x4_0000_0000n;
const CLUSTER = 0x8_0000_0000n;
const ID_MASK = 0xffff_ffffn;

/** One access rule, as oned keeps it: four numbers of flags and ids. */
export interface AclRule {
  readonly id: number;
  readonly user: bigint;
  readonly resource: bigint;
  readonly rights: bigint;
  readonly zone: bigint;
  /** As `oneacl list` writes it: `@1 VM+NET+IMAGE/* CREATE #0`. */
  readonly text: string;
}

const hex = z
  .string()
  .regex(/^[0-9a-f]{1,16}$/i, 'not a hexadecimal number')
  .transform((digits) => BigInt(`0x${digits}`));

const rule = z
  .object({ ID: int, USER: hex, RESOURCE: hex, RIGHTS: hex, ZONE: hex, STRING: text.default('') })
  .transform((raw): AclRule => ({ id: raw.ID, user: raw.USER, resource: raw.RESOURCE, rights: raw.RIGHTS, zone: raw.ZONE, text: raw.STRING }));

export const parseAclRule = (xml: string): AclRule => readObject(xml, 'ACL', rule);

/** What somebody wants; `object` undefined: to make a new one. */
export interface Wanted {
  readonly right: keyof typeof RIGHT_BITS;
  readonly kind: ResourceKind;
  readonly object: { readonly id: number; readonly gid: number; readonly clusterIds?: readonly number[] } | undefined;
  readonly zone: number;
}

/** AclManager::match_rules for one rule. */
export function ruleGrants(rule: AclRule, user: Pick<User, 'id' | 'groupIds'>, wanted: Wanted): boolean {
  return (
    (rule.rights & RIGHT_BITS[wanted.right]) !== 0n &&
    (selectsAll(rule.zone) || selects(rule.zone, INDIVIDUAL, wanted.zone)) &&
    (selectsAll(rule.user) || selects(rule.user, INDIVIDUAL, user.id) || user.groupIds.some((id) => selects(rule.user, GROUP, id))) &&
    (rule.resource & RESOURCE_BITS[wanted.kind]) !== 0n &&
    coversObject(rule.resource, wanted.object)
  );
}

function coversObject(resource: bigint, object: Wanted['object']): boolean {
  if (selectsAll(resource)) return true;
  if (object === undefined) return false;
  return (
    selects(resource, INDIVIDUAL, object.id) || selects(resource, GROUP, object.gid) || (object.clusterIds ?? []).some((id) => selects(resource, CLUSTER, id))
  );
}

const selectsAll = (mask: bigint): boolean => (mask & ALL) !== 0n;
const selects = (mask: bigint, flag: bigint, id: number): boolean => (mask & flag) !== 0n && (mask & ID_MASK) === BigInt(id);
