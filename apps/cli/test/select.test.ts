import type { ListedPoint, Repository, RestorePoint } from '@onevault/backup-format';
import { BaseError } from '@onevault/base';
import type { OneApi, VmSummary } from '@onevault/one-client';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pointsOfVm, selectPoint } from '../src/select/select-point.ts';
import { asVmError, selectVm, selectVms } from '../src/select/select-vms.ts';
import { parseVmArgument } from '../src/select/vm-argument.ts';

describe('a VM argument', () => {
  test.each([
    ['6', [{ kind: 'id', id: 6 }]],
    ['1..5', [{ kind: 'range', first: 1, last: 5 }]],
    ['5..1', [{ kind: 'range', first: 1, last: 5 }]],
    [
      '1,2,web',
      [
        { kind: 'id', id: 1 },
        { kind: 'id', id: 2 },
        { kind: 'name', name: 'web' },
      ],
    ],
    [
      '1..3, 9',
      [
        { kind: 'range', first: 1, last: 3 },
        { kind: 'id', id: 9 },
      ],
    ],
    ['a b.c', [{ kind: 'name', name: 'a b.c' }]],
    ['1..', [{ kind: 'name', name: '1..' }]],
    [',', []],
  ])('%s', (text, wanted) => {
    expect(parseVmArgument(text)).toEqual(wanted);
  });

  test('of numbers is never taken for a name', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 1 }), (ids) => {
        expect(parseVmArgument(ids.join(','))).toEqual(ids.map((id) => ({ kind: 'id', id })));
      }),
    );
  });
});

/** A cloud of which only the VM pool can be read, and that counts how often. */
function cloudOf(vms: readonly { readonly id: number; readonly name: string }[]): { readonly cloud: OneApi; readonly reads: () => number } {
  let reads = 0;
  const cloud = {
    async *vms() {
      reads++;
      yield* vms as readonly VmSummary[];
    },
  } as unknown as OneApi;
  return { cloud, reads: () => reads };
}

describe('selectVms', () => {
  const pool = [
    { id: 7, name: 'web' },
    { id: 3, name: 'db' },
    { id: 12, name: 'twin' },
    { id: 13, name: 'twin' },
  ];

  test('an id is taken as it is, without reading the pool', async () => {
    const { cloud, reads } = cloudOf(pool);
    expect(await selectVms(cloud, ['99', '3,7'])).toEqual([99, 3, 7]);
    expect(reads()).toBe(0);
  });

  test('names and ranges read the pool once; each VM comes once', async () => {
    const { cloud, reads } = cloudOf(pool);
    expect(await selectVms(cloud, ['web', '1..10', 'db'])).toEqual([7, 3]);
    expect(reads()).toBe(1);
  });

  test.each([
    [['nobody'], 'CLI_VM_NOT_FOUND'],
    [['20..30'], 'CLI_VM_NOT_FOUND'],
    [['twin'], 'CLI_VM_AMBIGUOUS'],
    [[], 'CLI_USAGE'],
    [[','], 'CLI_USAGE'],
  ])('%j: %s', async (argv, code) => {
    await expect(selectVms(cloudOf(pool).cloud, argv)).rejects.toMatchObject({ code });
  });

  test('where one VM is needed, a range that means several is a mistake', async () => {
    await expect(selectVm(cloudOf(pool).cloud, '1..10')).rejects.toMatchObject({ code: 'CLI_USAGE' });
  });

  test("OpenNebula's word for an id that does not exist is said like one for a name", () => {
    class AnyError extends BaseError {}
    const refusal = new AnyError({ code: 'ONE_NO_EXISTS', message: 'one.vm.info: Error getting virtual machine [99]' });
    expect(asVmError(refusal, 99)).toMatchObject({ code: 'CLI_VM_NOT_FOUND', cause: refusal });
    const other = new AnyError({ code: 'ONE_AUTHORIZATION', message: 'no' });
    expect(asVmError(other, 99)).toBe(other);
  });
});

const point = (id: string, group: string, vm: { readonly id: number; readonly name: string }): ListedPoint => ({
  kind: 'point',
  point: { id, group, annotations: { vm } } as unknown as RestorePoint,
});

function repositoryOf(points: readonly ListedPoint[]): Repository {
  return {
    location: '/repo',
    async *points() {
      yield* points;
    },
    point: async (id: string) => ({ id }) as RestorePoint,
  } as unknown as Repository;
}

describe('selectPoint', () => {
  const web = { id: 7, name: 'web' };
  const repository = repositoryOf([point('p1', 'g-web', web), point('p2', 'g-db', { id: 3, name: 'db' }), point('p3', 'g-web', web)]);

  test.each([
    ['latest', 'web', 'p3'],
    ['latest', '7', 'p3'],
    ['latest', 'g-web', 'p3'],
    ['latest~0', 'web', 'p3'],
    ['latest~1', 'web', 'p1'],
    ['latest', 'db', 'p2'],
  ])('%s of %s is %s', async (text, vm, id) => {
    expect((await selectPoint(repository, text, vm)).id).toBe(id);
  });

  test('anything else is left to the repository: an id or a prefix of one', async () => {
    expect((await selectPoint(repository, 'p2', undefined)).id).toBe('p2');
    expect((await selectPoint(repository, 'latest~x', undefined)).id).toBe('latest~x');
  });

  test('latest needs a VM as soon as there are several', async () => {
    await expect(selectPoint(repository, 'latest', undefined)).rejects.toMatchObject({ code: 'CLI_USAGE' });
    expect((await selectPoint(repositoryOf([point('p1', 'g', web)]), 'latest', undefined)).id).toBe('p1');
  });

  test('going back further than there are points finds nothing', async () => {
    await expect(selectPoint(repository, 'latest~2', 'web')).rejects.toMatchObject({ code: 'CLI_POINT_NOT_FOUND' });
    await expect(selectPoint(repository, 'latest', 'nobody')).rejects.toMatchObject({ code: 'CLI_POINT_NOT_FOUND' });
  });

  test('an id that OpenNebula has given to two VMs is not guessed about', async () => {
    const reused = repositoryOf([point('p1', 'g-old', web), point('p2', 'g-new', web)]);
    await expect(selectPoint(reused, 'latest', '7')).rejects.toMatchObject({ code: 'CLI_POINT_AMBIGUOUS', details: { groups: ['g-old', 'g-new'] } });
    expect((await selectPoint(reused, 'latest', 'g-old')).id).toBe('p1');
  });

  test('a damaged point is no candidate, and is never hidden from a list', async () => {
    const damaged: ListedPoint = { kind: 'damaged', key: 'points/p9', error: new Error('torn') };
    const withDamage = repositoryOf([point('p1', 'g-web', web), damaged]);
    expect((await selectPoint(withDamage, 'latest', 'web')).id).toBe('p1');
    expect(await pointsOfVm(withDamage, 'web')).toContain(damaged);
  });
});
