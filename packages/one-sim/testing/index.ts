/** A simulator for a test, XML-RPC without a client library between, and a watch on the guest. */
export { type GuestWatch, watchGuest } from './guest-watch.ts';
export { callXml, parseAnswer, postXml, type RawAnswer, rawClient, type TypedParameter } from './raw-client.ts';
export { NO_TIME, startTestSimulator, type TestSimulator } from './test-simulator.ts';
