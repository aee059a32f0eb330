import type { CallOptions } from '@onevault/base';
import { JobError } from '../errors.ts';
import type { LookDeps } from '../ports.ts';
import type { RestoreRequest } from '../request.ts';
import type { RestorePlan } from '../restore-plan.ts';
import { previewDefinition } from '../restored-definition.ts';
import { checkNetworks } from './check-networks.ts';
import { checkPlacement } from './check-placement.ts';
import { checkQuotas } from './check-quotas.ts';
import { checkRights } from './check-rights.ts';
import { checkSpace } from './check-space.ts';
import type { RestoreFinding } from './restore-finding.ts';
import { readRestoreScene } from './restore-scene.ts';

/** possible: nothing speaks against it. degraded: it can be done; look at what stands there. impossible: it would fail, or the VM would not run. */
export type RestoreVerdict = 'possible' | 'degraded' | 'impossible';

export interface RestoreChecks {
  readonly verdict: RestoreVerdict;
  readonly findings: readonly RestoreFinding[];
}

/** Looks at everything that OpenNebula would refuse in the middle of this restore, or leave PENDING at its end. Changes nothing. */
export async function checkRestore(
  deps: Pick<LookDeps, 'cloud' | 'proxyVm'>,
  plan: RestorePlan,
  request: RestoreRequest,
  options: CallOptions = {},
): Promise<RestoreChecks> {
  const scene = await readRestoreScene(deps, plan, request, previewDefinition(plan, request), options);
  const findings = [...checkRights(scene), ...checkSpace(scene), ...checkQuotas(scene), ...checkNetworks(scene), ...checkPlacement(scene)];
  const severities = new Set(findings.map(({ severity }) => severity));
  const verdict = severities.has('error') ? 'impossible' : severities.has('warning') || severities.has('unknown') ? 'degraded' : 'possible';
  return { verdict, findings };
}

/** Stops a restore that cannot succeed, before anything is created. Throws JOB_RESTORE_REFUSED. */
export function assertRestorable({ findings }: RestoreChecks): void {
  const errors = findings.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  if (first === undefined) return;
  throw new JobError({
    code: 'JOB_RESTORE_REFUSED',
    message: errors.map(({ what, why }) => `${what}: ${why}`).join('; '),
    details: { codes: errors.map(({ code }) => code) },
    hint: first.remedy ?? 'see restore --dry-run',
  });
}
