import { seededRandom } from '@onevault/base/testing';
import { afterAll, beforeAll, describe } from 'vitest';
import { objectStoreContract, type S3Fake, type S3FakeOptions, type S3Fault, startS3Fake } from '../testing/index.ts';
import { storeOn } from './support/s3.ts';

interface Variant {
  readonly name: string;
  readonly server?: S3FakeOptions;
  readonly prefix?: string;
  /** Share of requests that fail: half of them before their effect, half with their answer lost. */
  readonly troubled?: number;
}

const VARIANTS: readonly Variant[] = [
  { name: 'in an S3 bucket with pages of 7', server: { pageSize: 7 }, prefix: 'backups/one' },
  { name: 'in an S3 bucket where every fifth request fails', troubled: 0.2 },
  { name: 'in an S3 bucket whose server ignores If-None-Match', server: { conditionalPut: 'ignored', conditionalComplete: 'ignored' } },
  { name: 'in an S3 bucket whose server does not know If-None-Match', server: { conditionalPut: 'unknown', conditionalComplete: 'unknown' } },
  { name: 'in an S3 bucket whose server knows If-None-Match for whole objects only', server: { conditionalComplete: 'ignored' } },
];

describe.each(VARIANTS)('$name', ({ name, server = {}, prefix, troubled }) => {
  let fake: S3Fake;
  beforeAll(async () => {
    fake = await startS3Fake(server);
    if (troubled) fake.faults = randomTrouble(troubled);
  });
  afterAll(() => fake[Symbol.asyncDispose]());

  const open = async () => {
    const bucket = fake.makeBucket('vault');
    const options = prefix === undefined ? {} : { prefix };
    const store = storeOn(fake, options);
    const others = [storeOn(fake, options), storeOn(fake, options), storeOn(fake, options)];
    let turn = 0;
    return {
      store,
      reopen: () => others[turn++ % others.length] ?? store,
      cleanUp: async () => {
        for (const opened of [store, ...others]) await opened[Symbol.asyncDispose]();
        const left = [
          ...bucket.uploads(),
          ...bucket
            .keys()
            .filter((key) => /\.(probe|sweep)/.test(key))
            .map((key) => ({ key })),
        ];
        if (left.length > 0) throw new Error(`left behind: ${left.map(({ key }) => key).join(', ')}`);
      },
    };
  };
  const enforced = (server.conditionalPut ?? 'enforced') === 'enforced';
  objectStoreContract(name, open, { exclusiveInRaces: enforced, listedObjects: 43 });
});

const SEED = 3;

function randomTrouble(share: number): () => S3Fault | undefined {
  const random = seededRandom(SEED);
  const kinds: readonly S3Fault[] = [
    { kind: 'refuse', status: 503, code: 'SlowDown' },
    { kind: 'refuse', status: 500, code: 'InternalError' },
    { kind: 'reset', effect: false },
    { kind: 'reset', effect: true },
    { kind: 'reset', effect: true },
    { kind: 'truncate', bytes: 0 },
  ];
  return () => (random.next() < share ? kinds[random.int(kinds.length)] : undefined);
}
