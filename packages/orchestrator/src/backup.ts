import type { CallOptions } from '@onevault/base';
import type { JobDeps } from './ports.ts';
import type { BackupReport } from './report.ts';
import type { BackupRequest } from './request.ts';

export declare function backupVm(deps: JobDeps, request: BackupRequest, options?: CallOptions): Promise<BackupReport>;
