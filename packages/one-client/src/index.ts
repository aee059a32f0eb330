export type * from './api.ts';
export * from './model.ts';
