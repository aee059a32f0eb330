import type { RestorePoint } from '@onevault/backup-format';
import { isAbort, serializeError } from '@onevault/base';
import { type ConsoleAddress, commandProbes, pointVm, tcpConsoles } from '@onevault/composition';
import { datastoreId } from '@onevault/one-client';
import { chooseDrills, type DrillCandidate, type DrillDeps, type DrillReport, type DrillRequest, drillVm, type JobDeps } from '@onevault/orchestrator';
import type { CommandContext } from '../../command-context.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode, exitCodeOf, exitOfCode, reportError } from '../../exit.ts';
import { drillFailedLine, drillLine } from '../../render/drill-line.ts';
import { jobRenderer } from '../../render/job-renderer.ts';
import { idOfNamed } from '../../select/named-object.ts';
import { pointsOfVm, selectPoint } from '../../select/select-point.ts';
import { parseSpan } from '../../select/time-span.ts';
import { errorCodeOf, errorFacts } from '../each-vm.ts';
import { type RecoverFlag, recoverFirst } from '../recover-first.ts';
import { type SignFlags, signsOf } from './sign-argument.ts';

export interface DrillRunFlags extends SignFlags, RecoverFlag {
  readonly all?: boolean;
  readonly sample?: string;
  readonly maxAge?: string;
  readonly point?: string;
  readonly budget?: string;
  readonly dryRun?: boolean;
  readonly network: string;
  readonly imageDatastore?: string;
  readonly systemDatastore?: string;
  readonly allowRaw?: boolean;
  readonly verify?: boolean;
  readonly need: 'all' | 'any';
  readonly limit: string;
  readonly consoleListen?: string;
}

type Outcome = { readonly candidate: DrillCandidate } & ({ readonly report: DrillReport } | { readonly error: unknown });

export async function runDrills(context: CommandContext, vms: readonly string[], flags: DrillRunFlags): Promise<ExitCode> {
  const { compose, output, clock, signal } = context;
  const wishes = checkFlags(vms, flags);
  using renderer = jobRenderer(output, clock);
  await using jobs = await compose.openJobs((event) => renderer.emit(event), { signal });
  const deps: DrillDeps = {
    ...jobs,
    probes: commandProbes({ env: context.around.env, clock }),
    ...(wishes.console && { consoles: tcpConsoles(wishes.console) }),
  };
  const candidates = await candidatesOf(jobs, vms, flags, signal);
  const choice = chooseDrills(candidates, await jobs.repository.drills.standings({ signal }), clock.now(), wishes);
  for (const { vmName, group } of choice.fresh) output.note(`VM ${vmName} (${group}) was proven less than ${flags.maxAge} ago`);
  if (flags.dryRun === true) return showTurns(context, choice.chosen, choice.later);
  const request = await requestOf(jobs, flags, signal);
  const earlier = await recoverFirst(context, jobs, flags);
  const outcomes: Outcome[] = [];
  const untilMs = clock.monotonicMs() + (wishes.budgetMs ?? Number.POSITIVE_INFINITY);
  for (const candidate of choice.chosen) {
    if (outcomes.length > 0 && clock.monotonicMs() >= untilMs) break;
    const outcome = await drillOne(deps, candidate, { ...request, pointId: candidate.pointId }, signal);
    outcomes.push(outcome);
    tell(context, outcome, choice.chosen.length > 1);
    if ('error' in outcome && endsAll(outcome.error)) break;
  }
  const notAttempted = [...choice.chosen.slice(outcomes.length), ...choice.later];
  if (notAttempted.length > 0) output.note(`left for another time: ${notAttempted.map(({ vmName }) => vmName).join(', ')}`);
  output.document('drill.result', { drills: outcomes.map(documentOf), notAttempted, fresh: choice.fresh, ...earlier });
  return conclude(context, outcomes, choice.chosen.length);
}

interface Wishes {
  readonly sample?: number;
  readonly maxAgeMs?: number;
  readonly budgetMs?: number;
  readonly console?: ConsoleAddress;
}

function checkFlags(vms: readonly string[], flags: DrillRunFlags): Wishes {
  if (flags.all === true ? vms.length > 0 : vms.length === 0)
    throw usageError('name VMs, or give --all', 'onevault drill run web db; onevault drill run --all --sample 3');
  if (flags.point !== undefined && (flags.all === true || vms.length !== 1)) throw usageError('--point is of one VM', 'name exactly one VM');
  if (signsOf(flags).some(({ kind }) => kind === 'console') && flags.consoleListen === undefined)
    throw usageError('a console needs an address to which the hosts can connect', '--console-listen ADDRESS[:PORT], an address of this machine');
  if (flags.sample !== undefined && !/^[1-9]\d{0,4}$/.test(flags.sample)) throw usageError(`a sample of '${flags.sample}' VMs`, 'a number from 1 on');
  return {
    ...(flags.sample !== undefined && { sample: Number(flags.sample) }),
    ...(flags.maxAge !== undefined && { maxAgeMs: parseSpan(flags.maxAge, 'an age') }),
    ...(flags.budget !== undefined && { budgetMs: parseSpan(flags.budget, 'a budget') }),
    ...(flags.consoleListen !== undefined && { console: parseAddress(flags.consoleListen) }),
  };
}

function parseAddress(text: string): ConsoleAddress {
  const [, bracketed, plain, port = '0'] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535) throw usageError(`'${text}' is no address to listen on`, 'ADDRESS or ADDRESS:PORT, such as 10.0.0.5:7000');
  return { host, port: Number(port) };
}

/** The newest point of each VM, as far as it can be read; the one that was asked for. */
async function candidatesOf(deps: JobDeps, vms: readonly string[], flags: DrillRunFlags, signal: AbortSignal): Promise<DrillCandidate[]> {
  if (flags.all === true)
    return newestOfEach((await pointsOfVm(deps.repository, undefined, { signal })).flatMap((one) => (one.kind === 'point' ? [one.point] : [])));
  const points: RestorePoint[] = [];
  for (const vm of vms) points.push(await selectPoint(deps.repository, flags.point ?? 'latest', vm, { signal }));
  return newestOfEach(points);
}

function newestOfEach(points: readonly RestorePoint[]): DrillCandidate[] {
  const newest = new Map<string, RestorePoint>();
  for (const point of points) newest.set(point.group, point);
  return [...newest.values()].map((point) => ({ group: point.group, pointId: point.id, vmName: pointVm(point).name ?? point.group }));
}

async function requestOf(deps: JobDeps, flags: DrillRunFlags, signal: AbortSignal): Promise<Omit<DrillRequest, 'pointId'>> {
  const datastores = flags.imageDatastore === undefined && flags.systemDatastore === undefined ? [] : await deps.cloud.datastores({ signal });
  return {
    signs: signsOf(flags),
    need: flags.need,
    limitMs: parseSpan(flags.limit, 'a limit'),
    network: flags.network === 'none' ? 'none' : idOfNamed(await deps.cloud.networks({ signal }), flags.network, 'a network'),
    verify: flags.verify === true,
    ...(flags.allowRaw === true && { allowRaw: true }),
    ...(flags.imageDatastore !== undefined && { imageDatastore: datastoreId(idOfNamed(datastores, flags.imageDatastore, 'a datastore')) }),
    ...(flags.systemDatastore !== undefined && { systemDatastore: datastoreId(idOfNamed(datastores, flags.systemDatastore, 'a datastore')) }),
  };
}

async function drillOne(deps: DrillDeps, candidate: DrillCandidate, request: DrillRequest, signal: AbortSignal): Promise<Outcome> {
  try {
    return { candidate, report: await drillVm(deps, request, { signal }) };
  } catch (error) {
    return { candidate, error };
  }
}

/** What the next drill would meet as well. */
const ENDS_ALL: ReadonlySet<string> = new Set(['ONE_UNREACHABLE', 'ONE_AUTHENTICATION', 'JOB_JOURNAL_FAILED', 'CLI_STATE_DIR_INVALID', 'CLI_CONSOLE_FAILED']);

function endsAll(error: unknown): boolean {
  return isAbort(error) || ENDS_ALL.has(errorCodeOf(error));
}

function tell({ output }: CommandContext, outcome: Outcome, several: boolean): void {
  if ('report' in outcome) {
    const { failure } = outcome.report;
    if (failure !== undefined) output.warn(`VM ${outcome.report.vmName} did not pass: ${failure.error.message}`);
    if (failure?.error.hint !== undefined) output.note(`hint: ${failure.error.hint}`);
    output.line(drillLine(outcome.report));
    return;
  }
  if (!several) return;
  const { message, hint } = serializeError(outcome.error);
  output.warn(`VM ${outcome.candidate.vmName} was not drilled: ${message}`);
  if (hint !== undefined) output.note(`hint: ${hint}`);
  output.line(drillFailedLine(outcome.candidate, errorCodeOf(outcome.error)));
}

function documentOf(outcome: Outcome): object {
  return 'report' in outcome
    ? outcome.report
    : { ...outcome.candidate, outcome: isAbort(outcome.error) ? 'cancelled' : 'not-drilled', error: errorFacts(outcome.error) };
}

function conclude({ output }: CommandContext, outcomes: readonly Outcome[], wanted: number): ExitCode {
  const errors = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome.error] : []));
  const fatal = errors.find(endsAll) ?? (wanted === 1 ? errors[0] : undefined);
  if (fatal !== undefined) return reportError(output, fatal);
  const reports = outcomes.flatMap((outcome) => ('report' in outcome ? [outcome.report] : []));
  const failures = reports.flatMap(({ failure }) => failure ?? []);
  // A restore point that is damaged is the worst that a drill can find.
  if (failures.some(({ error }) => exitOfCode(error.code) === EXIT.damage)) return EXIT.damage;
  if (failures.length > 0) return EXIT.failed;
  if (errors.length > 0 && reports.length === 0) return exitCodeOf(errors[0]);
  const incomplete = errors.length > 0 || reports.some(({ residue, recordId }) => residue.length > 0 || recordId === undefined);
  return incomplete ? EXIT.partial : EXIT.ok;
}

function showTurns({ output }: CommandContext, chosen: readonly DrillCandidate[], later: readonly DrillCandidate[]): ExitCode {
  for (const { vmName, pointId } of chosen) output.line(`would drill ${pointId} of VM ${vmName}`);
  output.document('drill.turns', { chosen, later });
  return EXIT.ok;
}
