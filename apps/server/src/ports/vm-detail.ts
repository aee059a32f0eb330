import type { vmSchemas } from '@onevault/api';
import type { CallOptions } from '@onevault/base';
import type { z } from 'zod';

/** The part of `getVm`'s answer that OpenNebula is asked for at once: its disks, and what a backup of it would do now. */
export type LiveVm = Omit<z.output<typeof vmSchemas.vmDetail>, keyof z.output<typeof vmSchemas.vmSummary>>;

/**
 * Asks OpenNebula about one VM, bounded in time and in calls at once. Whoever calls has seen that the caller may USE the VM. Throws SERVER_NOT_FOUND when it does not exist
 * (any more), and what OpenNebula says when it cannot be asked.
 */
export interface VmDetails {
  vmDetail(vmId: number, options?: CallOptions): Promise<LiveVm>;
}
