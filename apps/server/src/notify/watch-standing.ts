import { type Protection, protectionOf } from '@onevault/policies';
import type { RunRecord } from '@onevault/run-queue';
import { z } from 'zod';
import type { Catalog } from '../ports/catalog.ts';
import type { Inventory } from '../ports/inventory.ts';
import type { ServerSettings } from '../ports/settings-store.ts';
import { requestOf } from '../runs/run-view.ts';
import type { Observation } from './troubles.ts';

/**
 * What an ended run says of its kind of work on its VM or repository; nothing: what was wrong is neither worse nor over. That it was not done is a trouble of its own: a
 * failure before it stays one.
 */
export function runObservations(run: RunRecord): readonly Observation[] {
  const { state, kind, vmId, vmName, id: runId } = run;
  const repository = String(requestOf(run)['repository'] ?? '');
  const subject = vmId === undefined ? `${kind} of repository ${repository}` : `${kind} of VM ${vmName ?? ''} (${vmId})`;
  const of = { subject, runId, ...(vmId !== undefined && { vmId }) };
  const ended = { ...of, key: `run:${kind}:${vmId ?? repository}` };
  const done = { ...of, key: `skipped:${kind}:${vmId ?? repository}`, trouble: undefined };
  switch (state) {
    case 'failed':
      return [{ ...ended, trouble: { condition: 'failed', ...failureOf(run) } }];
    case 'degraded':
      return [{ ...ended, trouble: { condition: 'degraded', text: warningsOf(run) } }, done];
    case 'succeeded':
      return [{ ...ended, trouble: undefined }, done];
    case 'skipped':
    case 'cancelled': {
      const reason = reasonOf(run);
      return reason === undefined ? [] : [{ ...done, trouble: { condition: 'skipped', ...reason } }];
    }
    case 'queued':
    case 'running':
      return [];
  }
}

/** Of a run that a schedule or a window did not let be done; who cancels one by hand knows. */
function reasonOf({ state, report }: RunRecord): { text: string; code?: string; hint?: string } | undefined {
  const said = z.object({ code: z.string(), text: z.string() }).safeParse(report?.['reason']).data;
  if (said !== undefined) return { ...said, hint: 'its run says more; whoever asks for a run by hand gets one' };
  return state === 'skipped' ? { text: 'it was not begun in time' } : undefined;
}

function failureOf({ failure }: RunRecord): { text: string; code?: string; hint?: string } {
  const { message, code, hint } = failure ?? {};
  return {
    text: typeof message === 'string' ? message : 'it failed without a word',
    ...(typeof code === 'string' && { code }),
    ...(typeof hint === 'string' && { hint }),
  };
}

function warningsOf({ report }: RunRecord): string {
  const warnings = Array.isArray(report?.['warnings']) ? report['warnings'] : [];
  const texts = warnings.flatMap((warning) => (typeof warning === 'object' && warning !== null && 'message' in warning ? [String(warning.message)] : []));
  return texts.length === 0 ? 'weaker than asked: see its run' : texts.slice(0, 5).join('; ');
}

export interface StandingNow {
  readonly settings: ServerSettings;
  readonly inventory: Pick<Inventory, 'vms' | 'refreshedAt'>;
  readonly catalog: Pick<Catalog, 'ofVm' | 'repositories'>;
  readonly orphans: number | undefined;
  readonly nowMs: number;
  /** Since when a VM that has no restore point is known to want one. */
  readonly unprotectedSinceMs: (vmId: number) => number;
}

/** Everything that is wrong or in order by how things stand, whether or not anything ran. */
export function standingObservations(now: StandingNow): readonly Observation[] {
  return [...vmObservations(now), ...now.catalog.repositories().map(repositoryObservation), ...orphanObservation(now.orphans)];
}

function repositoryObservation({ name, reachable, problem }: ReturnType<Catalog['repositories']>[number]): Observation {
  const text = problem?.message ?? 'it does not answer';
  const trouble = { condition: 'repository-unreachable' as const, text, ...(problem?.code !== undefined && { code: problem.code }) };
  return {
    key: `repository:${name}`,
    subject: `repository ${name}`,
    trouble: reachable ? undefined : { ...trouble, ...(problem?.hint !== undefined && { hint: problem.hint }) },
  };
}

function orphanObservation(orphans: number | undefined): readonly Observation[] {
  if (orphans === undefined) return [];
  const trouble = { condition: 'orphans' as const, text: `${orphans} objects of dead runs are in OpenNebula`, hint: 'onevault cleanup lists them' };
  return [{ key: 'orphans', subject: 'OpenNebula', trouble: orphans === 0 ? undefined : trouble }];
}

function vmObservations({ settings, inventory, catalog, nowMs, unprotectedSinceMs }: StandingNow): readonly Observation[] {
  // Before OpenNebula has been read for the first time nothing is known of any VM.
  if (inventory.refreshedAt === undefined) return [];
  const rpoMs = new Map(settings.backupPolicies.map(({ policy, rpoMs: ms }) => [policy.name, ms]));
  return inventory.vms().flatMap(({ facts, exists }): Observation[] => {
    const points = catalog.ofVm(facts.id);
    const protection = protectionOf(facts, settings.backupPolicies, (repository) => points.newestGood(repository), nowMs);
    const seen = { key: `rpo:${facts.id}`, subject: `VM ${facts.name} (${facts.id})`, vmId: facts.id };
    const text = exists ? lateText(protection, () => nowMs - unprotectedSinceMs(facts.id), rpoMs) : undefined;
    return [{ ...seen, trouble: text === undefined ? undefined : { condition: 'out-of-rpo', text, hint: 'Its last run says why' } }];
  });
}

/** A VM that is new has as long as its policy gives until it is late. */
function lateText(protection: Protection, withoutPointMs: () => number, rpoMs: ReadonlyMap<string, number>): string | undefined {
  if (protection.state === 'out-of-rpo') return `its newest good restore point is ${minutes(protection.lateMs)} older than policy ${protection.policy} allows`;
  if (protection.state !== 'unprotected' || protection.policy === undefined) return undefined;
  const allowedMs = rpoMs.get(protection.policy) ?? 0;
  return withoutPointMs() <= allowedMs ? undefined : `it has no good restore point, and policy ${protection.policy} wants one`;
}

function minutes(ms: number): string {
  const total = Math.max(1, Math.round(ms / 60_000));
  return total < 120 ? `${total} min` : `${Math.round(total / 60)} h`;
}
