import type { AclRule } from '../model/world-schema.ts';

/** PoolObjectSQL::ObjectType (include/PoolObjectSQL.h). */
export const OBJECT_TYPE = {
  VM: 0x1000000000n,
  HOST: 0x2000000000n,
  NET: 0x4000000000n,
  IMAGE: 0x8000000000n,
  USER: 0x10000000000n,
  TEMPLATE: 0x20000000000n,
  GROUP: 0x40000000000n,
  ACL: 0x80000000000n,
  DATASTORE: 0x100000000000n,
  CLUSTER: 0x200000000000n,
  DOCUMENT: 0x400000000000n,
  ZONE: 0x800000000000n,
  SECGROUP: 0x1000000000000n,
  VDC: 0x2000000000000n,
  VROUTER: 0x4000000000000n,
  MARKETPLACE: 0x8000000000000n,
  MARKETPLACEAPP: 0x10000000000000n,
  VMGROUP: 0x20000000000000n,
  VNTEMPLATE: 0x40000000000000n,
  BACKUPJOB: 0x100000000000000n,
} as const;

export type ObjectType = keyof typeof OBJECT_TYPE;

/** AuthRequest::Operation (include/AuthRequest.h); the names are those of the refusals. */
export const OPERATION = { USE: 1, MANAGE: 2, ADMIN: 4, CREATE: 8 } as const;
export type OperationName = keyof typeof OPERATION;

const INDIVIDUAL = 0x100000000n;
const GROUP = 0x200000000n;
const ALL = 0x400000000n;
const CLUSTER = 0x800000000n;
const SELECTORS = INDIVIDUAL | GROUP | ALL | CLUSTER;
const ID_MASK = 0xffffffffn;
const TYPE_MASK = 0xfffffff000000000n;
const UNKNOWN_TYPES = 0xfe80000000000000n;

/** The zone this simulator is. */
const ZONE_ID = 0n;

/** What a rule gives to somebody it applies to. */
export interface Grant {
  readonly types: bigint;
  readonly selector: 'one' | 'group' | 'cluster' | 'all';
  readonly id: number;
  readonly rights: number;
}

/** The grants of the rules that apply to a user: those for all, for the user and for each of the groups (AclManager::authorize). */
export function grantsOf(rules: readonly AclRule[], userId: number, groupIds: readonly number[]): Grant[] {
  return rules.filter((rule) => isAbout(BigInt(`0x${rule.user}`), userId, groupIds) && isHere(BigInt(`0x${rule.zone}`))).map(grantOf);
}

function isAbout(user: bigint, userId: number, groupIds: readonly number[]): boolean {
  const id = Number(user & ID_MASK);
  if ((user & ALL) !== 0n) return true;
  return (user & INDIVIDUAL) !== 0n ? id === userId : groupIds.includes(id);
}

function isHere(zone: bigint): boolean {
  return (zone & ALL) !== 0n || (zone & ID_MASK) === ZONE_ID;
}

function grantOf(rule: AclRule): Grant {
  const resource = BigInt(`0x${rule.resource}`);
  const selector = (resource & ALL) !== 0n ? 'all' : (resource & GROUP) !== 0n ? 'group' : (resource & CLUSTER) !== 0n ? 'cluster' : 'one';
  return { types: resource & TYPE_MASK, selector, id: Number(resource & ID_MASK), rights: Number(BigInt(`0x${rule.rights}`)) };
}

/** The object an authorization is about, as PoolObjectAuth: -1 for one that is to be created. */
export interface Matched {
  readonly type: ObjectType;
  readonly id: number;
  readonly gid: number;
  readonly clusterIds: readonly number[];
}

export function isGranted(grants: readonly Grant[], object: Matched, right: number): boolean {
  return grants.some((grant) => (grant.types & OBJECT_TYPE[object.type]) !== 0n && (grant.rights & right) === right && selects(grant, object));
}

function selects(grant: Grant, object: Matched): boolean {
  switch (grant.selector) {
    case 'all':
      return true;
    case 'one':
      return object.id >= 0 && grant.id === object.id;
    case 'group':
      return object.gid >= 0 && grant.id === object.gid;
    case 'cluster':
      return object.clusterIds.includes(grant.id);
  }
}

/** Why a rule cannot be, as AclRule::malformed words it (src/acl/AclRule.cc), or undefined. */
export function whyMalformed(user: bigint, resource: bigint, rights: bigint): string | undefined {
  const selectors = resource & SELECTORS;
  const problems = [
    ...onlyOne('user', user & (INDIVIDUAL | GROUP | ALL)),
    ...((user & ALL) !== 0n && (user & ID_MASK) !== 0n ? ['when using the ALL bit, [user] ID must be 0'] : []),
    ...(selectors !== 0n && (selectors & (selectors - 1n)) !== 0n ? ['[resource] INDIVIDUAL (#), GROUP (@), CLUSTER (%) and ALL (*) bits are exclusive'] : []),
    ...(selectors === 0n ? ['[resource] is missing one of the INDIVIDUAL, GROUP, CLUSTER or ALL bits'] : []),
    ...((resource & ALL) !== 0n && (resource & ID_MASK) !== 0n ? ['when using the ALL bit, [resource] ID must be 0'] : []),
    ...((resource & TYPE_MASK) === 0n ? ['[resource] type is missing'] : []),
    ...((resource & UNKNOWN_TYPES) !== 0n ? ['wrong [resource] type'] : []),
    ...(rights === 0n ? ['wrong [rights], it cannot be 0'] : []),
    ...(rights > 0xfn ? ['wrong [rights], it cannot be bigger than 0xF'] : []),
  ];
  return problems.length === 0 ? undefined : problems.join('; ');
}

function onlyOne(what: string, bits: bigint): string[] {
  if (bits === 0n) return [`[${what}] is missing one of the INDIVIDUAL, GROUP or ALL bits`];
  return (bits & (bits - 1n)) === 0n ? [] : [`[${what}] INDIVIDUAL (#), GROUP (@) and ALL (*) bits are exclusive`];
}

/** `@1 VM+IMAGE/* CREATE *`, as the command line writes a rule. */
export function ruleText(rule: Pick<AclRule, 'user' | 'resource' | 'rights' | 'zone'>): string {
  const resource = BigInt(`0x${rule.resource}`);
  const types = Object.entries(OBJECT_TYPE).filter(([, bit]) => (resource & bit) !== 0n);
  const rights = Object.entries(OPERATION).filter(([, bit]) => (BigInt(`0x${rule.rights}`) & BigInt(bit)) !== 0n);
  const join = (names: readonly (readonly [string, unknown])[]): string => names.map(([name]) => name).join('+');
  return `${selectorText(BigInt(`0x${rule.user}`))} ${join(types)}/${selectorText(resource)} ${join(rights)} ${selectorText(BigInt(`0x${rule.zone}`))}`;
}

function selectorText(value: bigint): string {
  const id = value & ID_MASK;
  if ((value & ALL) !== 0n) return '*';
  return `${(value & GROUP) !== 0n ? '@' : (value & CLUSTER) !== 0n ? '%' : '#'}${id}`;
}

const RULE = /^([#@]\d+|\*)\s+([A-Z+]+)\/([#@%]\d+|\*)\s+([A-Z+]+)(?:\s+(#\d+|\*))?$/;

/** Reads `@1 VM+IMAGE/* CREATE *`; undefined when it is none. */
export function parseRule(text: string): Omit<AclRule, 'id'> | undefined {
  const [, user, types, selector, rights, zone = `#${ZONE_ID}`] = RULE.exec(text.trim()) ?? [];
  if (user === undefined || types === undefined || selector === undefined || rights === undefined) return undefined;
  const resource = sumOf(types, OBJECT_TYPE);
  const operations = sumOf(rights, OPERATION);
  if (resource === undefined || operations === undefined) return undefined;
  const hex = (value: bigint): string => value.toString(16);
  return { user: hex(selectorBits(user)), resource: hex(resource | selectorBits(selector)), rights: hex(operations), zone: hex(selectorBits(zone)) };
}

function sumOf(names: string, table: Readonly<Record<string, bigint | number>>): bigint | undefined {
  let sum = 0n;
  for (const name of names.split('+')) {
    const bit = Object.hasOwn(table, name) ? table[name] : undefined;
    if (bit === undefined) return undefined;
    sum |= BigInt(bit);
  }
  return sum;
}

function selectorBits(text: string): bigint {
  const sign = text[0];
  if (sign === '*') return ALL;
  return (sign === '@' ? GROUP : sign === '%' ? CLUSTER : INDIVIDUAL) | BigInt(text.slice(1));
}

/** What a new front-end has: the rules AclManager makes at its first start, and those of the default VDC for group 1 (src/vdc/VdcPool.cc). */
export function stockRules(): AclRule[] {
  const texts = [
    '@1 VM+IMAGE+TEMPLATE+DOCUMENT+SECGROUP+VMGROUP+BACKUPJOB/* CREATE *',
    '* ZONE/* USE *',
    '* MARKETPLACE+MARKETPLACEAPP/* USE *',
    '@1 HOST/* MANAGE #0',
    '@1 NET+DATASTORE/* USE #0',
  ];
  return texts.flatMap((text, id) => {
    const rule = parseRule(text);
    return rule ? [{ id, ...rule }] : [];
  });
}
