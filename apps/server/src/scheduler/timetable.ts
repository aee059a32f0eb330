import { type CompiledSchedule, type Policy, parseSchedule } from '@onevault/policies';
import type { ServerSettings } from '../ports/settings-store.ts';
import type { SlotKey } from './handled-slots.ts';

/** One schedule of anything that runs by itself. */
export interface TimetableEntry {
  readonly key: SlotKey;
  readonly schedule: CompiledSchedule;
  readonly what:
    | { readonly kind: 'policy'; readonly policy: Policy; readonly selection: ServerSettings['policies'][number]['selection'] }
    | { readonly kind: 'gc'; readonly repository: string }
    | { readonly kind: 'verify'; readonly repository: string; readonly mode: 'structure' | 'sample' | 'all' };
}

/** Looking after a repository may begin later than it should, and is made up for. */
const MAINTENANCE_LATENESS = { startWithinMs: 6 * 3_600_000, missed: 'run' } as const;

/** Everything that the settings want done at its time. Policies that are switched off are not in it: what they miss is not made up for. */
export function timetableOf(settings: ServerSettings): readonly TimetableEntry[] {
  const policies = settings.policies
    .filter(({ policy }) => policy.enabled)
    .flatMap(({ policy, selection, schedules }) =>
      fullFirst(schedules).map((schedule): TimetableEntry => {
        const text = `${schedule.schedule.text} ${policy.timezone} ${schedule.mode}`;
        return { key: { policy: policy.name, schedule: text }, schedule, what: { kind: 'policy', policy, selection } };
      }),
    );
  const maintenance = settings.repositories.flatMap(({ name, maintenance: { timezone, gc, verify, verifyMode } }) => {
    const entry = (at: string | undefined, what: TimetableEntry['what']): TimetableEntry[] => {
      if (at === undefined) return [];
      const schedule = {
        schedule: parseSchedule(at, timezone),
        mode: 'auto',
        lateness: MAINTENANCE_LATENESS,
        window: undefined,
        stopAtWindowEnd: false,
      } as const;
      return [{ key: { policy: `${OF_REPOSITORY}${name}`, schedule: `${what.kind} ${at} ${timezone}` }, schedule, what }];
    };
    return [...entry(gc, { kind: 'gc', repository: name }), ...entry(verify, { kind: 'verify', repository: name, mode: verifyMode })];
  });
  return [...policies, ...maintenance];
}

/** Names of policies have no blank in them. */
const OF_REPOSITORY = 'repository ';

/** Whose slot a scheduled run is of: a policy's, or the maintenance of a repository. */
export function whoseSlot(key: string | undefined): { readonly policy?: string; readonly repository?: string } {
  if (key === undefined) return {};
  return key.startsWith(OF_REPOSITORY) ? { repository: key.slice(OF_REPOSITORY.length) } : { policy: key };
}

/** A VM has one run of a policy and slot: where two schedules meet, the one that wants more is begun first. */
function fullFirst(schedules: readonly CompiledSchedule[]): readonly CompiledSchedule[] {
  return [...schedules].sort((a, b) => Number(b.mode === 'full') - Number(a.mode === 'full'));
}
