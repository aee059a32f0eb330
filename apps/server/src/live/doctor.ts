import type { configurationSchemas } from '@onevault/api';
import { type CallOptions, serializeError } from '@onevault/base';
import { type DoctorVerdict, type Finding, runDoctor } from '@onevault/orchestrator';
import type { z } from 'zod';
import type { LiveAccess } from './live-access.ts';
import type { LiveDeps } from './live-deps.ts';

type FindingAnswer = z.output<typeof configurationSchemas.finding>;

const SEVERITY: Readonly<Record<DoctorVerdict, FindingAnswer['severity']>> = { ok: 'ok', warning: 'warning', problem: 'error', unknown: 'unknown' };

/**
 * What the doctor of the CLI says, with every repository of the settings looked at; those that do not answer are findings. The proxy's own machine is looked at only where the
 * server runs in it: of others their workers tell.
 */
export async function findings(deps: LiveDeps, access: LiveAccess, options: CallOptions): Promise<FindingAnswer[]> {
  const { cloud, journals, doctor, clock } = deps;
  const found: FindingAnswer[] = [];
  const proxyVm = await access.proxyVm();
  const own = runDoctor(
    {
      ...doctor,
      // A worker has said which VM it is in: this process may be in none.
      findProxy: proxyVm === undefined ? doctor.findProxy : async () => proxyVm,
      openCloud: async () => cloud,
      journals,
      openRepository: undefined,
      clock,
    },
    options,
  );
  for await (const finding of own) if (finding.code !== 'REPOSITORY_UNSET') found.push(answerOf(finding));
  const names = deps.settings.current().repositories.map(({ name }) => name);
  found.push(...(await Promise.all(names.map((name) => repositoryFinding(access, name, options)))));
  if (names.length === 0) found.push(noRepository());
  return found;
}

/** Opens it, with the secret that the settings name, and lists. */
async function repositoryFinding(access: LiveAccess, name: string, options: CallOptions): Promise<FindingAnswer> {
  const what = `repository ${name}`;
  try {
    const { points, groups } = await access.askRepository(name, (repository, call) => repository.stats(call), options);
    return { area: 'repository', severity: 'ok', code: 'REPOSITORY_OPENS', what, why: `opens and lists: ${points} restore points of ${groups} VMs` };
  } catch (error) {
    options.signal?.throwIfAborted();
    return failedFinding(what, error);
  }
}

function failedFinding(what: string, error: unknown): FindingAnswer {
  const { code, message, hint } = serializeError(error);
  return {
    area: 'repository',
    severity: 'error',
    code: code ?? 'CHECK_FAILED',
    what,
    why: message,
    remedy: hint ?? 'see the message; look again when it is settled',
  };
}

function noRepository(): FindingAnswer {
  return {
    area: 'repository',
    severity: 'error',
    code: 'REPOSITORY_UNSET',
    what: 'repositories',
    why: 'there is none: nothing can be backed up',
    remedy: 'add one under Repositories, or with onevault apply',
  };
}

function answerOf({ area, verdict, code, subject, text, remedy }: Finding): FindingAnswer {
  return { area, severity: SEVERITY[verdict], code, what: subject, why: text, ...(remedy !== undefined && { remedy }) };
}
