/**
 * For tests of what speaks the API.
 * @packageDocumentation
 */
export { runRequests } from './run-requests.ts';
