import { expect, it } from 'vitest';
import { pointHandlers } from '../../src/state/point-handlers.ts';
import { callOf, SOMEBODY } from '../../testing/call-of.ts';

/** A restore point that these hold; `released` says what went. */
function heldBy(...holders: readonly string[]) {
  const released: string[] = [];
  const held = {
    holds: holders.filter((by) => by !== '?').map((by) => ({ id: `of ${by}`, by, reason: 'audit' })),
    damaged: holders.filter((by) => by === '?').map(() => ({ id: 'unread' })),
  };
  const marks = {
    async *list() {
      yield held;
    },
    release: async (_point: string, ids: readonly string[]) => void released.push(...ids),
  };
  const catalog = {
    get: async () => ({ repository: 'main', id: 'p-1', group: 'g' }),
    use: (_repository: string, work: (repository: object) => Promise<unknown>) => work({ marks }),
    refresh: async () => undefined,
  };
  const { releasePoint } = pointHandlers({ catalog } as never) as { releasePoint(call: object): Promise<unknown> };
  const release = (user: string, role: 'operator' | 'admin') =>
    releasePoint(callOf({ params: { repository: 'main', pointId: 'p-1' }, caller: { ...SOMEBODY, user, role } as never }));
  return { release, released };
}

it('a hold is ended by whoever set it, by one of their tokens too, or by an administrator; those of others stay, all of them', async () => {
  const own = heldBy('bob', 'laptop of bob');
  await own.release('bob', 'operator');
  expect(own.released).toEqual(['of bob', 'of laptop of bob']);
  for (const holders of [['oneadmin'], ['bob', 'oneadmin'], ['bobby'], ['?']]) {
    const foreign = heldBy(...holders);
    await expect(foreign.release('bob', 'operator'), String(holders)).rejects.toMatchObject({ code: 'SERVER_FORBIDDEN' });
    expect(foreign.released).toEqual([]);
    await foreign.release('oneadmin', 'admin');
    expect(foreign.released).toHaveLength(holders.length);
  }
});
