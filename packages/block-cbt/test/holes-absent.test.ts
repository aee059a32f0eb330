import { expect, it, vi } from 'vitest';
import { openHoleMap } from '../src/holes.ts';
import { scan } from '../src/index.ts';
import { fileDevice } from '../testing/index.ts';
import { scanToEnd } from './scan-to-end.ts';

vi.mock('koffi', () => {
  throw new Error('no binary for this platform');
});

it('without the foreign-function module a sparse file is read whole, with the same outcome', async () => {
  await using subject = await fileDevice([
    { kind: 'hole', length: 4 * 2 ** 20 },
    { kind: 'data', length: 2 ** 20, seed: 1 },
  ]);
  expect(await openHoleMap(subject.device)).toBeUndefined();
  const { kinds, summary } = await scanToEnd(scan(subject.device, { blockSizeBytes: 2 ** 20, digest: 'blake3', workers: 1 }));
  expect(kinds).toEqual(['zero', 'zero', 'zero', 'zero', 'changed']);
  expect(summary).toMatchObject({ readBytes: 5 * 2 ** 20, holeBytes: 0 });
});
