/**
 * For tests of what stands on policies.
 * @packageDocumentation
 */
export { vmFacts } from './vm-facts.ts';
