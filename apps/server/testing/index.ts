/**
 * For tests of what the server is made of.
 * @packageDocumentation
 */
export { callOf, SOMEBODY } from './call-of.ts';
export { runRecord } from './run-record.ts';
