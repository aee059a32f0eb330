import type { ObjectStore } from '@onevault/backup-format';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addPoint, type CatalogLab, openLab } from './catalog-lab.ts';

let lab: CatalogLab;
beforeAll(async () => {
  lab = await openLab();
}, 60_000);
afterAll(() => lab[Symbol.asyncDispose]());

/** Tells how many manifests are read. */
function counting(store: ObjectStore): { readonly store: ObjectStore; manifests: number } {
  const counts = {
    manifests: 0,
    store: new Proxy(store, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (property === 'get' && String(args[0]).startsWith('points/')) counts.manifests += 1;
          return value.apply(target, args);
        };
      },
    }),
  };
  return counts;
}

describe('the catalog', () => {
  it('has what is in the repositories, reads each manifest once, and follows holds, tags and what was forgotten', async () => {
    const repository = await lab.repository('first');
    const counted = counting(lab.stores.get('first') as ObjectStore);
    lab.stores.set('first', counted.store);
    const a = await addPoint(repository, { vmId: 1, capturedAt: '2026-11-01T00:00:00Z', policy: 'nightly' });
    const b = await addPoint(repository, { vmId: 1, capturedAt: '2026-11-02T00:00:00Z' });
    await addPoint(repository, { vmId: 2, capturedAt: '2026-11-03T00:00:00Z' });
    const catalog = await lab.openCatalog();
    const told: number[][] = [];
    using _listener = catalog.onChange((vms) => told.push([...vms].sort()));
    await catalog.refresh('first');
    expect(told).toEqual([[1, 2]]);
    expect(counted.manifests).toBe(3);
    expect(catalog.ofVm(1)).toMatchObject({ count: 2, newest: { id: b, policy: undefined } });
    expect(catalog.ofVm(1).newestGood('first')).toEqual({ capturedMs: Date.parse('2026-11-02T00:00:00Z'), pointId: b, repository: 'first' });
    expect(catalog.ofVm(1).newestGood('second')).toBeUndefined();
    expect(await catalog.get('first', a)).toMatchObject({ vmId: 1, policy: 'nightly', tags: [], held: undefined, damaged: false });

    await repository.marks.hold(a, { reason: 'ticket-1', by: 'eva', until: '2099-01-01T00:00:00Z' });
    await repository.marks.tag(a, ['gold']);
    await repository.forgetPoint(b);
    await addPoint(repository, { vmId: 3, capturedAt: '2026-11-04T00:00:00Z' });
    await catalog.refresh('first');
    expect(counted.manifests).toBeLessThanOrEqual(3 + 1 + 1); // the new one, and the one that forgetting looks at
    expect(told.at(-1)).toEqual([1, 3]);
    expect(await catalog.get('first', a)).toMatchObject({ tags: ['gold'], held: { reason: 'ticket-1', until: new Date('2099-01-01T00:00:00Z') } });
    expect(await catalog.get('first', b)).toBeUndefined();
    expect(catalog.ofVm(1)).toMatchObject({ count: 1, newest: { id: a } });
    const before = told.length;
    await catalog.refresh('first');
    await catalog.refresh('first', { group: 'vm-1-a' });
    expect(told).toHaveLength(before);
    expect(catalog.repositories()).toMatchObject([{ name: 'first', reachable: true, points: 3, damagedPoints: 0, encrypted: false }]);
  });

  it('loses nothing of a repository that is away, says that it is, and knows it after a restart too', async () => {
    const repository = await lab.repository('second');
    await addPoint(repository, { vmId: 20, capturedAt: '2026-11-01T00:00:00Z' });
    const catalog = await lab.openCatalog();
    await catalog.refresh('second');
    lab.away.add('second');
    const again = await lab.openCatalog();
    await expect(again.refresh('second')).rejects.toThrow('away');
    expect(again.ofVm(20)).toMatchObject({ count: 1 });
    expect(again.repositories().find(({ name }) => name === 'second')).toMatchObject({
      reachable: false,
      points: 1,
      problem: { message: expect.stringContaining('away') },
    });
    expect((await lab.openCatalog()).repositories().find(({ name }) => name === 'second')).toMatchObject({ reachable: false, points: 1 });
    lab.away.delete('second');
    await again.refresh('second');
    expect(again.repositories().find(({ name }) => name === 'second')).toMatchObject({ reachable: true });
  });

  it('lists the points of a VM page by page, newest first, each once', async () => {
    const repository = await lab.repository('third');
    for (let i = 0; i < 7; i++) await addPoint(repository, { vmId: 30, capturedAt: `2026-11-0${1 + (i % 4)}T00:00:00Z` });
    const catalog = await lab.openCatalog();
    await catalog.refresh('third');
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await catalog.listOfVm(30, { limit: 3, ...(cursor !== undefined && { cursor }) });
      seen.push(...page.items.map(({ id, capturedAt }) => `${capturedAt.toISOString()} ${id}`));
      cursor = page.next;
    } while (cursor !== undefined);
    expect(seen).toHaveLength(7);
    expect(new Set(seen).size).toBe(7);
    expect(seen).toEqual([...seen].sort().reverse());
    await expect(catalog.listOfVm(30, { limit: 3, cursor: "x' or 1=1" })).rejects.toMatchObject({ code: 'SERVER_REQUEST_INVALID' });
  });

  it('shows nothing of a VM that had the id before to whoever has it now', async () => {
    const repository = await lab.repository('fourth');
    const old = await addPoint(repository, { vmId: 40, group: 'vm-40-old', capturedAt: '2026-11-01T00:00:00Z' });
    const catalog = await lab.openCatalog();
    await catalog.refresh('fourth');
    expect(catalog.ofVm(40).count).toBe(1);
    catalog.identify((id) => (id === 40 ? 'vm-40-new' : undefined));
    expect(catalog.ofVm(40)).toMatchObject({ count: 0, newest: undefined });
    expect(await catalog.get('fourth', old)).toBeUndefined();
    expect(await catalog.listOfVm(40, { limit: 5 })).toEqual({ items: [], next: undefined });
  });

  it('of another server on the same database is known after the next look, and what is no longer set is forgotten', async () => {
    const repository = await lab.repository('fifth');
    const mine = await lab.openCatalog();
    const others = await lab.openCatalog();
    await addPoint(repository, { vmId: 50, capturedAt: '2026-11-01T00:00:00Z' });
    await others.refresh('fifth');
    expect(mine.ofVm(50).count).toBe(0);
    await mine.refresh('fifth');
    expect(mine.ofVm(50).count).toBe(1);
    lab.stores.delete('fifth');
    await mine.refreshAll();
    expect(mine.ofVm(50).count).toBe(0);
    expect(mine.repositories().map(({ name }) => name)).not.toContain('fifth');
    await expect(mine.refresh('fifth')).rejects.toMatchObject({ code: 'SERVER_NOT_FOUND' });
  });
});
