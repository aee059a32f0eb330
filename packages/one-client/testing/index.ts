export { type OneApiFixture, oneApiContract } from './contract.ts';
export { parseRecordedExchange, type RecordedExchange, readRecordedExchanges } from './recorded.ts';
