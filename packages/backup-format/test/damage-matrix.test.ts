import { describe, expect, it } from 'vitest';
import { isRepositoryError, type ObjectStore, type Repository } from '../src/index.ts';
import { keysOf } from '../testing/index.ts';
import { claimed, type DamageBed, damageOf, makeBed, storeOf, survey } from './support/damage-bed.ts';
import { newEncrypted, openWith } from './support/encrypted.ts';
import { newRepository, reopen } from './support/small-vm.ts';

interface Harm {
  readonly name: string;
  readonly keys: readonly string[];
  /** Whether only the data of a chunk may be touched: then `structure` need not see it. */
  readonly mayBeData: boolean;
  readonly objects: ReadonlyMap<string, Uint8Array>;
}

const KINDS = ['onevault.json', 'packs/', 'index/', 'points/', 'marks/', 'leases/', 'gc/', 'verify/', 'keys/'];
/** Absent, these are what they would be if they had never been: a restore point that was forgotten, a lease that ended, a hold that was released. */
const LEAVES_NO_GAP = ['points/', 'marks/', 'leases/', 'gc/', 'verify/'];

function changed(bed: DamageBed, changes: readonly (readonly [string, Uint8Array | undefined])[]): Map<string, Uint8Array> {
  const objects = new Map(bed.objects);
  for (const [key, bytes] of changes) {
    if (bytes) objects.set(key, bytes);
    else objects.delete(key);
  }
  return objects;
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const out = Uint8Array.from(bytes);
  out[at] = (out[at] ?? 0) ^ (1 << (at % 8));
  return out;
}

function* harmsOf(bed: DamageBed, key: string, bytes: Uint8Array): Generator<Harm, void> {
  const isPack = key.startsWith('packs/');
  const length = bytes.length;
  for (const at of new Set([0, 70, Math.floor(length / 2), length - 70, length - 2].filter((each) => each >= 0 && each < length)))
    yield { name: `a flipped bit in byte ${at} of ${key}`, keys: [key], mayBeData: isPack, objects: changed(bed, [[key, flipped(bytes, at)]]) };
  for (const left of [0, Math.floor(length / 2), length - 1])
    yield { name: `${key} cut to ${left} bytes`, keys: [key], mayBeData: false, objects: changed(bed, [[key, bytes.slice(0, left)]]) };
  yield { name: `${key} deleted`, keys: [key], mayBeData: false, objects: changed(bed, [[key, undefined]]) };
  // With another of its kind, and with one of the next kind there is.
  const keys = [...bed.objects.keys()];
  const kind = KINDS.findIndex((prefix) => key.startsWith(prefix));
  const others = [...KINDS.slice(kind + 1), ...KINDS].map((prefix) => keys.find((candidate) => candidate.startsWith(prefix) && candidate !== key));
  const same = keys.find((candidate) => candidate.startsWith(KINDS[kind] ?? '') && candidate !== key);
  for (const other of new Set([same, others.find((candidate) => candidate !== undefined)])) {
    const bytesOfOther = other === undefined ? undefined : bed.objects.get(other);
    if (other === undefined || !bytesOfOther) continue;
    yield {
      name: `${key} swapped with ${other}`,
      keys: [key, other],
      mayBeData: false,
      objects: changed(bed, [
        [key, bytesOfOther],
        [other, bytes],
      ]),
    };
  }
}

async function opened(bed: DamageBed, harm: Harm, store: ObjectStore): Promise<Repository | undefined> {
  try {
    return await bed.open(store);
  } catch (error) {
    if (!isRepositoryError(error)) throw error;
    // Only what everything hangs on keeps a repository closed, and the error names it.
    expect([error.code, harm.keys.some((key) => key === 'onevault.json' || key.startsWith('keys/'))]).toEqual([error.code, true]);
    return undefined;
  }
}

/** I16, I45: what restore refuses is what verify names, to the block; what it gives is right. */
async function checkHarm(bed: DamageBed, harm: Harm): Promise<boolean> {
  const store = await storeOf(harm.objects);
  const repository = await opened(bed, harm, store);
  if (!repository) return true;
  const lost = await survey(bed, repository);
  const all = await damageOf(repository, 'all');
  const unlisted = bed.points.filter(({ id, group }) => !harm.objects.has(`points/${group}/${id}.json`)).map(({ id }) => id);
  expect(new Set([...claimed(all, bed.points), ...unlisted])).toEqual(lost);
  const named = new Set(all.map(({ key }) => key));
  const seen = harm.keys.every((key) => named.has(key) || (key.startsWith('index/') && named.has('index/')));
  const structure = await damageOf(repository, 'structure');
  if (!harm.mayBeData) {
    expect(structure.map(({ key }) => key).sort()).toEqual(all.map(({ key }) => key).sort());
    expect(claimed(structure, bed.points)).toEqual(claimed(all, bed.points));
  } else for (const block of claimed(structure, bed.points)) expect(lost).toContain(block);
  for (const lease of await keysOf(store, 'leases/')) await store.delete(lease); // one that cannot be read counts as held until it expires
  await repository.repair({ wait: false });
  for (const block of await survey(bed, await bed.open(store))) expect(lost).toContain(block);
  return seen || lost.size > unlisted.length;
}

/** What nobody can know, and nobody loses by. */
function isExcused(name: string, bed: DamageBed): boolean {
  if (name.endsWith('deleted')) return LEAVES_NO_GAP.some((kind) => name.startsWith(kind)) || name === `${unneededTable(bed)} deleted`;
  // In the clear a table does not say its own name: under another one it is as true as before.
  return /^index\/\S+ swapped with index\/\S+$/.test(name) && !bed.encrypted;
}

/** That of the point which was forgotten: nobody needs what it lists. */
function unneededTable(bed: DamageBed): string | undefined {
  return [...bed.objects.keys()].filter((key) => key.startsWith('index/')).at(-1);
}

const repositories: readonly (readonly [string, () => Promise<DamageBed>])[] = [
  ['a repository in the clear', () => makeBed(newRepository, reopen)],
  [
    'an encrypted repository',
    () =>
      makeBed(
        (store) => newEncrypted(store),
        (store) => openWith(store),
      ),
  ],
];

describe.each(repositories)('every kind of damage to every object of %s', (_, make) => {
  it('is found by verify, and by a restore that needs the object; nothing wrong is ever handed out', async () => {
    const bed = await make();
    const kinds = KINDS.filter((kind) => [...bed.objects.keys()].some((key) => key.startsWith(kind)));
    expect(kinds.length).toBeGreaterThanOrEqual(8);
    const unseen: string[] = [];
    for (const [key, bytes] of bed.objects) for (const harm of harmsOf(bed, key, bytes)) if (!(await checkHarm(bed, harm))) unseen.push(harm.name);
    expect(unseen.filter((name) => !isExcused(name, bed))).toEqual([]);
  }, 120_000);
});
