export { type Announcement, announce } from './announcement.ts';
export { oneApiContract } from './contract.ts';
export type { OneCloud } from './one-cloud.ts';
export { parseRecordedExchange, type RecordedExchange, readRecordedExchanges } from './recorded.ts';
