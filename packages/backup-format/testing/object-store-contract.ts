import { afterEach, beforeEach, describe } from 'vitest';
import { exclusiveContract } from './store-contract/exclusive.ts';
import { abortsContract, temporariesContract } from './store-contract/giving-up.ts';
import { listingsContract, readsContract } from './store-contract/reading.ts';
import type { StoreUnderTest } from './store-contract/under-test.ts';
import { concurrencyContract, wholeOrAbsentContract } from './store-contract/writing.ts';

export interface StoreContractOptions {
  /** How many objects one listing is tried with: more than a page of the server has (S3: 1000). */
  readonly listedObjects?: number;
  /** False for a server without conditional writes: guarantee 4 then holds for writers one after the other, not in a race. */
  readonly exclusiveInRaces?: boolean;
}

/** The numbered guarantees of `ObjectStore`, as tests. Every store and every decorator runs them. */
export function objectStoreContract(name: string, open: () => Promise<StoreUnderTest>, options: StoreContractOptions = {}): void {
  describe(`the store contract, ${name}`, () => {
    let under: StoreUnderTest;
    beforeEach(async () => {
      under = await open();
    });
    afterEach(() => under.cleanUp());

    wholeOrAbsentContract(() => under);
    exclusiveContract(() => under, options.exclusiveInRaces ?? true);
    readsContract(() => under);
    listingsContract(() => under, options.listedObjects ?? 1005);
    abortsContract(() => under);
    concurrencyContract(() => under);
    temporariesContract(() => under);
  });
}
