import { compilePolicy, nextRuns, parsePolicy } from '@onevault/policies';

const policy = parsePolicy({
  kind: 'backup',
  name: 'nightly',
  repository: 'main',
  timezone: 'Europe/Berlin',
  select: { include: ['label=prod'], exclude: ['name=*-test'] },
  schedules: [
    { at: 'Mon..Fri 22:30', window: '22:00-06:00' },
    { at: 'Sun 12:00', mode: 'full' },
  ],
  retention: { keepDaily: 7, keepWeekly: 4 },
});

/** When it runs next. */
export function nextRunAfter(now: number): number | undefined {
  return nextRuns(compilePolicy(policy, now), now, 1)[0]?.atMs;
}
