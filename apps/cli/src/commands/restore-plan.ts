import type { Repository, RestorePoint } from '@onevault/backup-format';
import type { CallOptions } from '@onevault/base';
import { commandProbes } from '@onevault/composition';
import {
  type CheckedEntry,
  checkPlan,
  type PlanDeps,
  type PlanOutcome,
  type PlanReport,
  type PointChoice,
  type ResolvedPlan,
  type RestoreFinding,
  resolvePlan,
  runPlan,
} from '@onevault/orchestrator';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { CliError } from '../errors.ts';
import { EXIT, type ExitCode, exitOfCode } from '../exit.ts';
import { planProblems, readPlanFile } from '../plan-file/read-plan-file.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import { planDoneLine, planVmLine } from '../render/plan-file-line.ts';
import { parseDate } from '../select/date-argument.ts';
import { pointsOfVm, selectPoint } from '../select/select-point.ts';
import { addRecoverFlag, type RecoverFlag, recoverFirst } from './recover-first.ts';

interface RunFlags extends RecoverFlag {
  readonly dryRun?: boolean;
}

export function restorePlanCommand(run: RunCommand): Command {
  const command = new Command('restore-plan').description('restore several VMs as a plan file says: from when, in what order, where, waiting for what');
  command
    .command('check')
    .argument('<file>', 'YAML or JSON')
    .description('look everything up that the plan names and say what would become of each VM; changes nothing')
    .action((file: string, _flags: object, sub: Command) => run(sub, (context) => runCheck(context, file)));
  addRecoverFlag(command.command('run').argument('<file>', 'YAML or JSON').option('--dry-run', 'the same as check'))
    .description('carry the plan out; run again, it goes on where it was left')
    .action((file: string, flags: RunFlags, sub: Command) =>
      run(sub, (context) => (flags.dryRun === true ? runCheck(context, file) : carryOut(context, file, flags))),
    );
  return command;
}

async function runCheck(context: CommandContext, path: string): Promise<ExitCode> {
  const { output, signal } = context;
  return withPlan(context, path, async (deps, plan) => {
    const onChecked = (one: CheckedEntry): void => {
      for (const line of checkedLines(one)) output.line(line);
    };
    const { vms, findings } = await checkPlan(deps, plan, { signal, onChecked });
    for (const line of findingLines(findings)) output.line(line);
    output.document('restore-plan.check', { name: plan.name, onFailure: plan.onFailure, vms: vms.map(checkedDocument), findings });
    const severities = new Set([...findings, ...vms.flatMap(({ checks }) => checks?.findings ?? [])].map(({ severity }) => severity));
    if (vms.some(({ error }) => error !== undefined) || severities.has('error')) return EXIT.failed;
    return severities.has('warning') || severities.has('unknown') ? EXIT.degraded : EXIT.ok;
  });
}

async function carryOut(context: CommandContext, path: string, flags: RunFlags): Promise<ExitCode> {
  const { output, signal } = context;
  return withPlan(context, path, async (deps, plan) => {
    const earlier = await recoverFirst(context, deps, flags);
    const report = await runPlan(deps, plan, { signal, onOutcome: (outcome) => tell(context, outcome) });
    for (const object of report.residue) output.warn(`left in OpenNebula: ${object}`);
    output.line(planDoneLine(report));
    output.document('restore-plan.result', { ...report, ...earlier });
    return exitOf(report);
  });
}

/** The plan read, opened and looked up; what is wrong with it is told with its lines. */
async function withPlan(context: CommandContext, path: string, work: (deps: PlanDeps, plan: ResolvedPlan) => Promise<ExitCode>): Promise<ExitCode> {
  const { compose, output, clock, around, signal } = context;
  const text = await readPlanFile(path, { signal });
  using renderer = jobRenderer(output, clock);
  await using jobs = await compose.openJobs((event) => renderer.emit(event), { signal });
  const deps: PlanDeps = {
    ...jobs,
    probes: commandProbes({ env: around.env, clock }),
    choosePoint: (vm, choice, options) => choosePoint(jobs.repository, vm, choice, options),
  };
  const plan = await resolvePlan(deps, text.file, { signal }).catch((error: unknown) => {
    throw planProblems(error, text);
  });
  return work(deps, plan);
}

/** `at`: the newest that was captured until then. */
async function choosePoint(repository: Repository, vm: string, choice: PointChoice, options: CallOptions = {}): Promise<RestorePoint> {
  if (typeof choice === 'string') return ofVm(await selectPoint(repository, choice, vm, options), await pointsOfVm(repository, vm, options), vm);
  const until = parseDate(choice.at, 'a restore point');
  const newest = await selectPoint(repository, 'latest', vm, options); // says when there is none, or when the name means several VMs
  const points = (await pointsOfVm(repository, vm, options)).flatMap((one) => (one.kind === 'point' && one.point.group === newest.group ? [one.point] : []));
  const point = points.findLast(({ capturedAt }) => Date.parse(capturedAt) <= until.getTime());
  if (point !== undefined) return point;
  throw notFound(`there is no restore point of VM ${vm} from before ${choice.at}; the first is from ${points[0]?.capturedAt}`);
}

/** A point that is named by its id must be of the VM that it is named for. */
function ofVm(point: RestorePoint, points: Awaited<ReturnType<typeof pointsOfVm>>, vm: string): RestorePoint {
  if (points.some((one) => one.kind === 'point' && one.point.id === point.id)) return point;
  throw notFound(`the restore point ${point.id} is not of VM ${vm}`);
}

function notFound(message: string): CliError {
  return new CliError({ code: 'CLI_POINT_NOT_FOUND', message, hint: 'onevault point list shows what there is' });
}

function tell({ output }: CommandContext, outcome: PlanOutcome): void {
  if (outcome.status === 'restored' || outcome.status === 'present') output.line(planVmLine(outcome));
  else {
    if (outcome.error !== undefined && outcome.status !== 'blocked') output.warn(`${outcome.vmName}: ${outcome.error.message}`);
    if (outcome.error?.hint !== undefined) output.note(`hint: ${outcome.error.hint}`);
    output.line(planVmLine(outcome));
  }
}

function exitOf({ outcome, vms, residue }: PlanReport): ExitCode {
  if (outcome === 'complete') return residue.length > 0 ? EXIT.partial : EXIT.ok;
  const failure = vms.find(({ status }) => status === 'failed')?.error;
  if (exitOfCode(failure?.code) === EXIT.damage) return EXIT.damage;
  // Nothing of it is there: it failed as a whole. Otherwise a part of it stands.
  return vms.some(({ status }) => status === 'restored' || status === 'present' || status === 'silent' || status === 'undo-failed')
    ? EXIT.partial
    : EXIT.failed;
}

function checkedLines({ entry, presentAs, checks, error }: CheckedEntry): string[] {
  const { key, point, request, after } = entry;
  const what = `${key}: ${point.id} captured ${point.capturedAt} as VM ${request.name}${after.length === 0 ? '' : `, after ${after.join(', ')}`}`;
  if (presentAs !== undefined) return [`${what}: there already, VM ${presentAs}`];
  if (error !== undefined) return [`${what}: impossible`, `  ${error.message}`];
  return [`${what}: ${checks?.verdict ?? 'unknown'}`, ...findingLines(checks?.findings ?? []).map((line) => `  ${line}`)];
}

function findingLines(findings: readonly RestoreFinding[]): string[] {
  return findings.flatMap(({ severity, code, what, why, remedy }) =>
    severity === 'ok' ? [] : [`${what}: ${why} (${code})${remedy === undefined ? '' : `; ${remedy}`}`],
  );
}

function checkedDocument({ entry, presentAs, checks, error }: CheckedEntry): object {
  const { key, after, point, request, wait } = entry;
  return {
    key,
    after,
    pointId: point.id,
    capturedAt: point.capturedAt,
    name: request.name,
    wait: wait ?? null,
    presentAs: presentAs ?? null,
    checks: checks ?? null,
    error: error ?? null,
  };
}
