import type { Operation } from '../operation.ts';
import { ACCESS_OPERATIONS } from './access-operations.ts';
import { CONFIGURATION_OPERATIONS } from './configuration-operations.ts';
import { POINT_OPERATIONS } from './point-operations.ts';
import { RUN_OPERATIONS } from './run-operations.ts';
import { SETTINGS_OPERATIONS } from './settings-operations.ts';
import { VM_OPERATIONS } from './vm-operations.ts';

const ALL = [...ACCESS_OPERATIONS, ...VM_OPERATIONS, ...POINT_OPERATIONS, ...RUN_OPERATIONS, ...CONFIGURATION_OPERATIONS, ...SETTINGS_OPERATIONS] as const;

/** Every operation there is. The server refuses to start with one that it does not answer, and answers none that is not here. */
export const OPERATIONS: readonly Operation[] = ALL;

type Known = (typeof ALL)[number];
export type OperationId = Known['id'];

/** The operation of that id, with its own schemas. */
export type OperationOf<Id extends OperationId> = Extract<Known, { readonly id: Id }>;
