/**
 * What is backed up when. Schedules, selectors, policies and the state of protection as pure functions of texts, facts and instants: they read no clock and
 * reach nothing.
 * @packageDocumentation
 */
export { formatDuration, parseDuration } from './duration.ts';
export { PolicyError, type PolicyErrorCode } from './errors.ts';
export { type CompiledPolicy, type CompiledSchedule, compilePolicy, nextRuns } from './policy/compile-policy.ts';
export { parsePolicy } from './policy/parse-policy.ts';
export { type BackupPolicy, backupPolicySchema, type Policy, type SnapshotPolicy, snapshotPolicySchema } from './policy/policy-schema.ts';
export { type PointFacts, type Protection, protectionOf } from './protection/protection.ts';
export { type Due, dueRun, type LatenessRules, trustedHandled } from './schedule/due.ts';
export { nextRun, previousRun, runsAfter } from './schedule/runs.ts';
export { type CalendarRule, parseSchedule, type Schedule } from './schedule/schedule.ts';
export { closingOf, openingOf, parseWindow, type Window } from './schedule/window.ts';
export { fitsGlob } from './select/glob.ts';
export { judgeVm, OPT_OUT_ATTRIBUTE, optOutReason, type Selection, type Verdict } from './select/select-vms.ts';
export { fits, parseSelector, type Selector, type VmFacts } from './select/selector.ts';
