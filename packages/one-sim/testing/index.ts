/** A simulator for a test, and XML-RPC without a client library between. */
export { callXml, parseAnswer, postXml, type RawAnswer, rawClient, type TypedParameter } from './raw-client.ts';
export { NO_TIME, startTestSimulator, type TestSimulator } from './test-simulator.ts';
