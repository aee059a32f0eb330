import type { CallOptions } from '@onevault/base';
import type { JobDeps } from './ports.ts';
import type { RestoreReport } from './report.ts';
import type { RestoreRequest } from './request.ts';

export declare function restoreVm(deps: JobDeps, request: RestoreRequest, options?: CallOptions): Promise<RestoreReport>;
