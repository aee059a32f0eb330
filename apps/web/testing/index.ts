/**
 * The pages without a server of onevault: an API with believable data, held against the schemas of the real one.
 * @packageDocumentation
 */
export type { FakeApi } from './fake-api.ts';
export { type FakeServer, startFakeServer } from './fake-server.ts';
export type { FakeOptions } from './fake-state.ts';
export { Refusal } from './refusal.ts';
