export type * from './attach-api.ts';
