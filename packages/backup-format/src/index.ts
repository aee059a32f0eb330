export type * from './repository-api.ts';
