export { oneApiContract } from './contract.ts';
export type { OneApiFixture } from './lab.ts';
export { parseRecordedExchange, type RecordedExchange, readRecordedExchanges } from './recorded.ts';
