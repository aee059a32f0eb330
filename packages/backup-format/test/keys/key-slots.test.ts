import { Secret } from '@onevault/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRepository, keyFileSecret, memoryStore, newRecoveryKey, type ObjectStore, openRepository, type RepositoryKeys } from '../../src/index.ts';
import { decodeSlot } from '../../src/keys/key-slot.ts';
import { Crash, crashAtWrite, type Fault, faultyStore, flipBit, keysOf, type Operation } from '../../testing/index.ts';
import { keyFile, newEncrypted, openWith, passphrase, QUICK, recovery } from '../support/encrypted.ts';
import { BLOCK, deps } from '../support/small-vm.ts';

const first = passphrase('the first passphrase');
const second = passphrase('the second passphrase');
const quick = { scrypt: QUICK };

async function keysWith(store: ObjectStore, secret = first): Promise<RepositoryKeys> {
  const { keys } = await openWith(store, secret);
  if (!keys) throw new Error('not encrypted');
  return keys;
}

async function opens(store: ObjectStore, secret: Parameters<typeof openWith>[1]): Promise<boolean> {
  try {
    await using _ = await openWith(store, secret);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'REPO_KEY_REJECTED' });
    return false;
  }
}

describe('key slots', () => {
  it('every kind opens the same repository, and only its own secret does', async () => {
    const store = memoryStore();
    await using repository = await newEncrypted(store, first);
    const paper = newRecoveryKey((length) => new Uint8Array(length).fill(9));
    deps.clock.advance(1000);
    await repository.keys?.add(keyFile(5), { label: 'the proxy' });
    deps.clock.advance(1000);
    await repository.keys?.add(recovery(paper), { label: 'in the safe' });
    const digestKeys = new Set<string | undefined>();
    for (const secret of [first, keyFile(5), recovery(paper)]) {
      await using again = await openWith(store, secret);
      digestKeys.add(again.digest.key?.reveal());
    }
    expect([...digestKeys]).toEqual([repository.digest.key?.reveal()]);
    for (const secret of [second, keyFile(6), recovery(newRecoveryKey((length) => new Uint8Array(length).fill(8)))])
      expect(await opens(store, secret)).toBe(false);
    const listed = await repository.keys?.list();
    expect(listed?.map((one) => one.kind === 'slot' && [one.slot.kind, one.slot.label, one.slot.current])).toEqual([
      ['passphrase', '', true],
      ['keyFile', 'the proxy', false],
      ['recovery', 'in the safe', false],
    ]);
  });

  it('a passphrase is the same however its accents are typed', async () => {
    const store = memoryStore();
    await using _ = await newEncrypted(store, passphrase('caf\u00e9 au lait'));
    expect(await opens(store, passphrase('cafe\u0301 au lait'))).toBe(true);
    expect(await opens(store, passphrase('cafe au lait'))).toBe(false);
  });

  it('changing the passphrase writes one slot and removes one, and nothing else', async () => {
    const store = memoryStore();
    await using repository = await newEncrypted(store, first);
    const before = (await keysOf(store, '')).filter((key) => !key.startsWith('keys/'));
    deps.clock.advance(1000);
    const slot = await repository.keys?.replace(second, quick);
    expect(slot).toMatchObject({ kind: 'passphrase', current: true });
    expect((await keysOf(store, '')).filter((key) => !key.startsWith('keys/'))).toEqual(before);
    expect(await keysOf(store, 'keys/')).toEqual([`keys/${slot?.id}`]);
    expect([await opens(store, first), await opens(store, second)]).toEqual([false, true]);
  });

  it.each(['before', 'after'] as const)('a crash %s any write of a change leaves a repository that the old or the new passphrase opens', async (when) => {
    for (let write = 1; write <= 3; write++) {
      const store = memoryStore();
      await using _ = await newEncrypted(store, first);
      const crashing = faultyStore(store, crashAtWrite(write, when));
      const { keys } = await openRepository(crashing, { ...deps, secret: first });
      const outcome = await keys?.replace(second, quick).catch((error: unknown) => error);
      const opened = [await opens(store, first), await opens(store, second)];
      expect(opened).toContain(true);
      if (write === 3) expect(opened).toEqual([false, true]);
      else expect(outcome).toBeInstanceOf(Crash);
    }
  });

  it('I37: the last one stays', async () => {
    const store = memoryStore();
    await using repository = await newEncrypted(store, first);
    const [key = ''] = await keysOf(store, 'keys/');
    await expect(repository.keys?.remove(key.slice(5))).rejects.toMatchObject({ code: 'REPO_KEY_LAST' });
    await expect(repository.keys?.remove('nothing')).rejects.toMatchObject({ code: 'REPO_KEY_NOT_FOUND' });
    const added = await repository.keys?.add(second, quick);
    await repository.keys?.remove(key.slice(5));
    expect([await opens(store, first), await opens(store, second)]).toEqual([false, true]);
    await expect(repository.keys?.remove(added?.id ?? '')).rejects.toMatchObject({ code: 'REPO_KEY_LAST' });
  });

  it('I37: a damaged slot does not count as one that opens, and can be removed', async () => {
    const store = memoryStore();
    await using repository = await newEncrypted(store, first);
    const added = await repository.keys?.add(second, quick);
    await flipBit(store, `keys/${added?.id}`, 300);
    const [sound = ''] = (await keysOf(store, 'keys/')).filter((key) => key !== `keys/${added?.id}`);
    await expect(repository.keys?.remove(sound.slice(5))).rejects.toMatchObject({ code: 'REPO_KEY_LAST' });
    expect((await repository.keys?.list())?.map(({ kind }) => kind).sort()).toEqual(['damaged', 'slot']);
    await repository.keys?.remove(added?.id ?? '');
    expect(await keysOf(store, 'keys/')).toEqual([sound]);
  });

  it('I37: two who remove the slot of the other at the same moment leave one', async () => {
    const store = memoryStore();
    await using repository = await newEncrypted(store, first);
    const added = await repository.keys?.add(second, quick);
    const gate = meetAtDelete(2);
    const [a, b] = [await keysWith(faultyStore(store, gate), first), await keysWith(faultyStore(store, gate), second)];
    const old = (await keysOf(store, 'keys/')).find((key) => key !== `keys/${added?.id}`)?.slice(5) ?? '';
    const outcomes = await Promise.allSettled([a.remove(added?.id ?? ''), b.remove(old)]);
    expect(outcomes.some(({ status }) => status === 'rejected')).toBe(true);
    expect((await keysOf(store, 'keys/')).length).toBeGreaterThan(0);
    expect((await opens(store, first)) || (await opens(store, second))).toBe(true);
  });

  it('slots that cannot be read: told apart from a wrong secret', async () => {
    const store = memoryStore();
    await using _ = await newEncrypted(store, first);
    const [key = ''] = await keysOf(store, 'keys/');
    await flipBit(store, key, 300);
    await expect(openWith(store, first)).rejects.toMatchObject({ code: 'REPO_KEY_INVALID' });
    await store.delete(key);
    await expect(openWith(store, first)).rejects.toMatchObject({ code: 'REPO_KEY_INVALID' });
  });

  it('has at most 32 slots', async () => {
    const store = memoryStore();
    await using repository = await newEncrypted(store, keyFile());
    for (let n = 2; n <= 32; n++) await repository.keys?.add(keyFile(n));
    await expect(repository.keys?.add(keyFile(99))).rejects.toMatchObject({ code: 'REPO_TOO_LARGE' });
    expect(await opens(store, keyFile(32))).toBe(true);
  });
});

describe('secrets', () => {
  it.each(['short', '', '1234567'])('a new passphrase of "%s" is refused', async (text) => {
    await expect(newEncrypted(memoryStore(), passphrase(text))).rejects.toMatchObject({ code: 'REPO_SECRET_INVALID' });
  });

  it('a passphrase that looks like a recovery key is refused: it would be taken for one', async () => {
    await expect(newEncrypted(memoryStore(), passphrase('ovrk-is my passphrase'))).rejects.toMatchObject({ code: 'REPO_SECRET_INVALID' });
  });

  it('a key file is random bytes, and enough of them', () => {
    for (const content of [
      Buffer.alloc(31, 'abcdefghijklmnop'),
      Buffer.alloc(64),
      Buffer.from('passwordpasswordpasswordpassword'),
      Buffer.alloc(65 * 1024, 'abcdefghijklmnop'),
    ]) {
      expect(() => keyFileSecret(content)).toThrow(expect.objectContaining({ code: 'REPO_SECRET_INVALID' }));
    }
  });

  it('a secret without encryption is a mistake of the program', async () => {
    await expect(createRepository(memoryStore(), { blockSizeBytes: BLOCK }, { ...deps, secret: first })).rejects.toBeInstanceOf(TypeError);
  });

  it('scrypt below or above the bounds of the format is refused before it is done', async () => {
    const store = memoryStore();
    await expect(createRepository(store, { encryption: { secret: first, scrypt: { logN: 10, r: 8, p: 1 } } }, deps)).rejects.toThrow();
    expect(await keysOf(store, '')).toEqual([]);
  });
});

describe('creating', () => {
  it('a creation that ends between slot and config is made again without anybody cleaning up', async () => {
    const store = memoryStore();
    await expect(newEncrypted(faultyStore(store, crashAtWrite(2, 'before')), first)).rejects.toBeInstanceOf(Crash);
    expect((await keysOf(store, '')).map((key) => key.slice(0, 5))).toEqual(['keys/']);
    await using _ = await newEncrypted(store, second);
    expect([await opens(store, first), await opens(store, second)]).toEqual([false, true]);
  });

  it('of two at once one makes the repository, and its secret opens it', async () => {
    const store = memoryStore();
    const outcomes = await Promise.allSettled([newEncrypted(store, keyFile(1)), newEncrypted(store, keyFile(2))]);
    const won = outcomes.findIndex(({ status }) => status === 'fulfilled');
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await opens(store, keyFile(won + 1))).toBe(true);
    expect(await keysOf(store, 'keys/')).toHaveLength(1);
  });
});

it('decoding arbitrary bytes as a slot throws nothing but REPO_KEY_INVALID or REPO_UNSUPPORTED_VERSION', () =>
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      try {
        decodeSlot({ repositoryId: '00'.repeat(16), id: '20261122T190011123Z-0123456789abcdef' }, bytes);
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^REPO_(KEY_INVALID|UNSUPPORTED_VERSION)$/) });
      }
    }),
  ));

/** Nobody deletes before `count` of them are about to. */
function meetAtDelete(count: number): (operation: Operation) => Fault {
  const { promise, resolve } = deferred();
  let arrived = 0;
  return ({ kind }) => {
    if (kind !== 'delete') return undefined;
    arrived += 1;
    if (arrived === count) resolve();
    return { when: 'before', until: promise };
  };
}

function deferred(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve: () => resolve() };
}

it('a secret prints nothing', () => {
  expect(`${new Secret('x')}${JSON.stringify(first)}`).not.toContain('first');
});
