import type { Vm } from '@onevault/one-client';

/** The group all restore points of one VM belong to: stable over renames, different when an id is used again. */
export declare function groupOf(vm: Vm): string;
