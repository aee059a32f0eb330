import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAclRule } from '../src/acl.ts';
import { type AclRule, type Guarded, isCloudAdmin, mayCreate, mayDo, type Permissions, type Right } from '../src/index.ts';

const NOTHING = { use: false, manage: false, admin: false };
const NOBODY: Permissions = { owner: NOTHING, group: NOTHING, other: NOTHING };

const alice = { id: 3, groupIds: [1, 100] };
const vm = (facts: Partial<Guarded> = {}): Guarded => ({ kind: 'VM', id: 12, uid: 3, gid: 100, permissions: NOBODY, lock: undefined, ...facts });
const locked = (level: number) => ({ level, ownerId: 3, since: 0 });

/** As one.acl.info prints a rule: `@1 VM/* USE *`. */
function rule(user: string, resource: string, rights: string, zone = '400000000'): AclRule {
  return parseAclRule(
    `<ACL><ID>4</ID><USER>${user}</USER><RESOURCE>${resource}</RESOURCE><RIGHTS>${rights}</RIGHTS><ZONE>${zone}</ZONE><STRING>x</STRING></ACL>`,
  );
}

describe('permissions', () => {
  test.each<readonly [string, Partial<Permissions>, Partial<Guarded>, string]>([
    ['owner', { owner: { ...NOTHING, manage: true } }, {}, 'owner'],
    ['group, also a secondary one', { group: { ...NOTHING, manage: true } }, { uid: 9 }, 'group'],
    ['everybody', { other: { ...NOTHING, manage: true } }, { uid: 9, gid: 9 }, 'other'],
  ])('of the %s count', (_whom, bits, facts, by) => {
    const object = vm({ ...facts, permissions: { ...NOBODY, ...bits } });
    expect(mayDo(alice, 'manage', object, [])).toEqual({ may: 'yes', by });
    expect(mayDo(alice, 'use', object, [])).toEqual({ may: 'no', why: 'not-permitted' });
  });

  test('of the owner are nothing to another user', () => {
    const object = vm({ uid: 9, gid: 9, permissions: { ...NOBODY, owner: { use: true, manage: true, admin: true } } });
    expect(mayDo(alice, 'use', object, [])).toMatchObject({ may: 'no' });
  });

  test('that refuse, without the rules, leave it open', () => {
    expect(mayDo(alice, 'use', vm(), undefined)).toEqual({ may: 'unknown' });
    expect(mayCreate(alice, 'IMAGE', undefined)).toEqual({ may: 'unknown' });
  });

  test('do not matter to uid 0 and the group of administrators', () => {
    for (const admin of [
      { id: 0, groupIds: [0] },
      { id: 7, groupIds: [1, 0] },
    ]) {
      expect(isCloudAdmin(admin)).toBe(true);
      expect(mayDo(admin, 'admin', vm({ uid: 9 }), undefined)).toEqual({ may: 'yes', by: 'oneadmin' });
      expect(mayCreate(admin, 'VM', undefined)).toMatchObject({ may: 'yes' });
    }
  });
});

describe('a lock', () => {
  test.each<readonly [number, readonly Right[]]>([
    [1, ['use', 'manage', 'admin']],
    [2, ['manage', 'admin']],
    [3, ['admin']],
  ])('of level %i refuses %j to everybody', (level, refused) => {
    const everything = { use: true, manage: true, admin: true };
    const object = vm({ lock: locked(level), permissions: { owner: everything, group: everything, other: everything } });
    for (const right of ['use', 'manage', 'admin'] as const) {
      for (const user of [alice, { id: 0, groupIds: [0] }]) {
        expect(mayDo(user, right, object, [])).toMatchObject(refused.includes(right) ? { may: 'no', why: 'locked' } : { may: 'yes' });
      }
    }
    expect(mayDo(alice, 'use', object, [], { ignoreLock: true })).toMatchObject({ may: 'yes' });
  });
});

describe('an access rule', () => {
  test.each<readonly [string, AclRule, boolean]>([
    ['for everybody', rule('400000000', '1400000000', '3'), true],
    ['for this user', rule('100000003', '1400000000', '2'), true],
    ['for another user', rule('100000004', '1400000000', '2'), false],
    ['for one of the groups', rule('200000064', '1400000000', '2'), true],
    ['for the group whose number is the user’s', rule('200000003', '1400000000', '2'), false],
    ['for this VM', rule('100000003', '110000000c', '2'), true],
    ['for another VM', rule('100000003', '110000000d', '2'), false],
    ['for VMs of its group', rule('100000003', '1200000064', '2'), true],
    ['for VMs of another group', rule('100000003', '1200000065', '2'), false],
    ['for images', rule('100000003', '8400000000', '2'), false],
    ['for images and VMs', rule('100000003', '9400000000', '2'), true],
    ['of another right', rule('100000003', '1400000000', '5'), false],
    ['of another zone', rule('100000003', '1400000000', '2', '100000001'), false],
    ['of this zone', rule('100000003', '1400000000', '2', '100000000'), true],
  ])('%s', (_what, one, granted) => {
    expect(mayDo(alice, 'manage', vm({ uid: 9 }), [one])).toEqual(granted ? { may: 'yes', by: 'acl' } : { may: 'no', why: 'not-permitted' });
  });

  test('may select datastores by cluster', () => {
    const datastore: Guarded = { ...vm({ uid: 0, gid: 0 }), kind: 'DATASTORE', clusterIds: [0, 100] };
    expect(mayDo(alice, 'use', datastore, [rule('200000001', '100800000064', '1')])).toMatchObject({ may: 'yes' });
    expect(mayDo(alice, 'use', datastore, [rule('200000001', '100800000065', '1')])).toMatchObject({ may: 'no' });
  });

  test('lets create only where it means all objects of the kind', () => {
    const stock = rule('200000001', '2d1400000000', '8', '100000000'); // @1 VM+NET+IMAGE+TEMPLATE+DOCUMENT…/* CREATE #0
    expect(stock.rights).toBe(8n);
    expect(mayCreate(alice, 'VM', [stock])).toEqual({ may: 'yes', by: 'acl' });
    expect(mayCreate({ id: 5, groupIds: [2] }, 'VM', [stock])).toEqual({ may: 'no', why: 'not-permitted' });
    expect(mayCreate(alice, 'VM', [rule('200000001', '110000000c', '8')])).toMatchObject({ may: 'no' });
  });

  test('never takes away what permissions give', () => {
    const everything = { use: true, manage: true, admin: true };
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 2n ** 58n }),
        fc.bigInt({ min: 0n, max: 2n ** 58n }),
        fc.bigInt({ min: 0n, max: 15n }),
        (user, resource, rights) => {
          const any: AclRule = { id: 0, user, resource, rights, zone: 0x4_0000_0000n, text: '' };
          expect(mayDo(alice, 'manage', vm({ permissions: { ...NOBODY, owner: everything } }), [any])).toMatchObject({ may: 'yes' });
          expect(mayDo(alice, 'manage', vm({ lock: locked(2) }), [any])).toMatchObject({ may: 'no' });
        },
      ),
    );
  });
});
