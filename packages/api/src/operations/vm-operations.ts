import { z } from 'zod';
import type { Operation } from '../operation.ts';
import * as vms from '../schemas/vm.ts';
import { pageOf, vmIdParam } from '../schemas/wire-values.ts';

const ofVm = z.object({ vmId: vmIdParam });

/** What there is to protect, and how it stands. */
export const VM_OPERATIONS = [
  {
    id: 'listVms',
    method: 'get',
    path: '/vms',
    tag: 'vms',
    summary: 'VMs with their protection, also those that are gone and have restore points',
    role: 'viewer',
    objects: 'filtered',
    query: vms.vmQuery,
    answer: { status: 200, body: pageOf(vms.vmSummary) },
  },
  {
    id: 'getVm',
    method: 'get',
    path: '/vms/{vmId}',
    tag: 'vms',
    summary: 'one VM, and what a backup of it would do',
    role: 'viewer',
    objects: 'vm-use',
    params: ofVm,
    answer: { status: 200, body: vms.vmDetail },
  },
  {
    id: 'listSnapshots',
    method: 'get',
    path: '/vms/{vmId}/snapshots',
    tag: 'snapshots',
    summary: 'snapshots of all disks of a VM, as sets',
    role: 'viewer',
    objects: 'vm-use',
    params: ofVm,
    answer: { status: 200, body: z.array(vms.snapshotSet) },
  },
  {
    id: 'listUndoSets',
    method: 'get',
    path: '/vms/{vmId}/undo-sets',
    tag: 'snapshots',
    summary: 'what restores in place replaced, newest first: the ways back',
    role: 'viewer',
    objects: 'vm-use',
    params: ofVm,
    answer: { status: 200, body: z.array(vms.undoSet) },
  },
] as const satisfies readonly Operation[];
