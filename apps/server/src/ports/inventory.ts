import type { CallOptions, SerializedError } from '@onevault/base';
import type { Owned } from '@onevault/one-client';
import type { VmFacts } from '@onevault/policies';

/** A VM as it was last seen, or as its newest restore point says. */
export interface InventoryVm {
  readonly facts: VmFacts;
  /** Who may do what with it: for `mayDo`. Of a VM that is gone, as its newest restore point has it. */
  readonly owned: Owned;
  readonly clusterId: number | undefined;
  readonly hostId: number | undefined;
  readonly datastoreIds: readonly number[];
  readonly diskCount: number;
  /** False: it is gone and has restore points. */
  readonly exists: boolean;
}

/** What there is in OpenNebula. Everything is answered from memory; OpenNebula is asked in the background, and a cloud that is away leaves the last view. */
export interface Inventory {
  /** Ascending by id. The same array until the next refresh. */
  vms(): readonly InventoryVm[];
  vm(id: number): InventoryVm | undefined;
  /** When this process last read it; nothing is begun before. */
  readonly refreshedAt: Date | undefined;
  /** Why the last refresh failed. */
  readonly problem: SerializedError | undefined;
  refresh(options?: CallOptions): Promise<void>;
  /** Whether a worker has said since the last look that it runs in a VM of which that look did not know this. */
  hasNewProxy(): Promise<boolean>;
}
