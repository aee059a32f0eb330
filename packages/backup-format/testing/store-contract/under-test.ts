import type { ObjectStore } from '../../src/index.ts';

export interface StoreUnderTest {
  readonly store: ObjectStore;
  /** The same objects through another store, as another process would see them. */
  reopen(): ObjectStore;
  /** Also the place to fail when something of an aborted writer was left behind. */
  cleanUp(): Promise<void>;
}

/** The store of the test that runs. */
export type Under = () => StoreUnderTest;
