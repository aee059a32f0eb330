export { flipBit, keysOf, swapObjects, truncateObject } from './damage.ts';
export { Crash, crashAtWrite, type Fault, type FaultyStore, faultyStore, fullFromWrite, type Operation, type StoreOperation } from './faulty-store.ts';
export { objectStoreContract, type StoreContractOptions } from './object-store-contract.ts';
export { readDisk } from './read-disk.ts';
export type { Conditional } from './s3-fake/operations.ts';
export { type S3Fake, type S3FakeOptions, type S3FakeRequest, type S3Fault, startS3Fake } from './s3-fake/s3-fake.ts';
export { type ScanBytesOptions, scanBytes } from './scan-bytes.ts';
export type { StoreUnderTest } from './store-contract/under-test.ts';
export { type Gate, gate, shuffledCompletion, transientFaults } from './store-faults.ts';
