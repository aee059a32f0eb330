import type { Vm } from '@onevault/one-client';
import type { BackupPlan, PlanRequest } from './plan-model.ts';

export declare function planBackup(vm: Vm, request: PlanRequest): BackupPlan;
