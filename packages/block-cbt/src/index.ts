export type * from './scan-api.ts';
