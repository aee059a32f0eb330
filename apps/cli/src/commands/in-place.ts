import { pointVm } from '@onevault/composition';
import { vmId } from '@onevault/one-client';
import { type InPlacePlan, type InPlaceRequest, type JobDeps, planInPlace, restoreInPlace, type SwapReport } from '@onevault/orchestrator';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { confirm } from '../confirm.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode, reportError } from '../exit.ts';
import { remoteInPlace } from '../remote/swaps.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import { swapLine } from '../render/summary-line.ts';
import { type Column, printable, renderTable } from '../render/table.ts';
import { count } from '../render/units.ts';
import { selectPoint } from '../select/select-point.ts';
import { asVmError, selectVm } from '../select/select-vms.ts';
import { concludeVms, eachVm } from './each-vm.ts';
import { addRecoverFlag, type RecoverFlag, recoverFirst } from './recover-first.ts';
import { addDiskFlag, type DiskFlag, disksOf, spanMs } from './snapshot/snapshot-flags.ts';

/** What in-place and undo share: how the VM is stopped, and how long the way back is kept. */
export interface ExchangeFlags extends RecoverFlag {
  readonly stopTimeout: string;
  readonly hard?: boolean;
  readonly keepUndo: string;
  readonly allowSnapshotLoss?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export function addExchangeFlags(command: Command): Command {
  return addRecoverFlag(command)
    .option('--stop-timeout <time>', 'so long the guest may take to shut down: 90s, 5m', '5m')
    .option('--hard', 'pull the plug when it has not shut down by then')
    .option('--keep-undo <span>', 'so long what is replaced is kept as the way back: 12h, 7d, 2w', '7d')
    .option('--allow-snapshot-loss', 'also disks that have snapshots: they go with what is replaced, those of a disk that is not persistent for ever')
    .option('--dry-run', 'change nothing: say what would be done, and what stands in the way')
    .option('-y, --yes', 'ask nothing, also on a terminal');
}

export function exchangeOf(flags: ExchangeFlags): Pick<InPlaceRequest, 'stop' | 'keepUndoMs' | 'allowSnapshotLoss'> {
  return {
    stop: { gracefulMs: spanMs(flags.stopTimeout, '--stop-timeout', 'smh'), hard: flags.hard ?? false },
    keepUndoMs: spanMs(flags.keepUndo, '--keep-undo', 'hdw'),
    allowSnapshotLoss: flags.allowSnapshotLoss ?? false,
  };
}

/** Asks before anything is done, where somebody is there to be asked. A plan that will be refused is not asked about. */
export async function isAgreed(
  context: CommandContext,
  { yes }: ExchangeFlags,
  { refusals }: Pick<InPlacePlan, 'refusals'>,
  question: string,
): Promise<boolean> {
  if (refusals.length > 0 || yes === true || (await confirm(context, question))) return true;
  context.output.note('nothing was done');
  return false;
}

interface InPlaceFlags extends ExchangeFlags, DiskFlag {
  readonly vm?: string;
  readonly delta?: boolean;
  readonly verify: boolean;
  readonly otherVm?: boolean;
}

export function inPlaceCommand(run: RunCommand): Command {
  return addExchangeFlags(addDiskFlag(new Command('in-place')))
    .argument('<point>', 'id, unique prefix of one, latest or latest~1')
    .description('restore disks of a VM in place: new images beside the old ones, a short stop, and a way back with onevault undo')
    .option('--vm <vm>', 'the VM that gets the disks, and whose latest; default: the one the point is of')
    .option('--delta', 'begin with copies of what the VM has, made by the storage, and write only what differs')
    .option('--other-vm', 'although the point is of another VM than --vm')
    .option('--no-verify', 'do not read the written disks back')
    .action((point: string, flags: InPlaceFlags, sub: Command) =>
      run(
        sub,
        (context) => inPlace(context, point, flags),
        (context) => remoteInPlace(context, point, flags),
      ),
    );
}

async function inPlace(context: CommandContext, text: string, flags: InPlaceFlags): Promise<ExitCode> {
  const { compose, output, clock, signal } = context;
  const exchange = exchangeOf(flags);
  const disks = disksOf(flags);
  using renderer = jobRenderer(output, clock);
  await using deps = await compose.openJobs((event) => renderer.emit(event), { signal });
  const request = await requestOf(deps, text, flags, { ...exchange, ...(disks && { disks }) }, signal);
  const earlier = flags.dryRun === true ? undefined : await recoverFirst(context, deps, flags);
  const plan = await planInPlace(deps, request, { signal }).catch((error: unknown) => {
    throw asVmError(error, request.vmId);
  });
  if (flags.dryRun === true) return showPlan(context, plan);
  if (!(await isAgreed(context, flags, plan, question(plan)))) return EXIT.cancelled;
  const { outcomes } = await eachVm(
    context,
    deps,
    [request.vmId],
    (own) => restoreInPlace({ ...deps, emit: own.emit }, request, { signal }),
    (outcome) => 'report' in outcome && output.line(swapLine(outcome.report)),
  );
  return concludeSwap(context, 'in-place.result', outcomes, earlier);
}

async function requestOf(
  deps: JobDeps,
  text: string,
  flags: InPlaceFlags,
  rest: Pick<InPlaceRequest, 'stop' | 'keepUndoMs' | 'allowSnapshotLoss' | 'disks'>,
  signal: AbortSignal,
): Promise<InPlaceRequest> {
  const point = await selectPoint(deps.repository, text, flags.otherVm === true ? undefined : flags.vm, { signal });
  const own = pointVm(point).id;
  if (flags.vm === undefined && typeof own !== 'number') throw usageError(`restore point ${point.id} does not say which VM it is of`, 'name the VM with --vm');
  const target = flags.vm === undefined ? vmId(Number(own)) : await selectVm(deps.cloud, flags.vm, { signal });
  return { ...rest, pointId: point.id, vmId: target, delta: flags.delta ?? false, verify: flags.verify, otherVm: flags.otherVm ?? false };
}

export function concludeSwap(
  { output }: CommandContext,
  type: string,
  outcomes: Parameters<typeof concludeVms<SwapReport>>[0],
  earlier: object | undefined,
): ExitCode {
  for (const outcome of outcomes) if ('report' in outcome) output.document(type, { ...outcome.report, ...earlier });
  const { exitCode, error } = concludeVms(outcomes, (report) => report.residue.length === 0);
  return error === undefined ? exitCode : reportError(output, error);
}

type PlannedRow = InPlacePlan['disks'][number];

const COLUMNS: readonly Column<PlannedRow>[] = [
  { name: 'POINT', value: ({ saved }) => `disk ${saved.diskId}` },
  { name: 'TARGET', value: ({ disk }) => disk.target },
  { name: 'NOW', value: ({ disk }) => `disk ${disk.diskId}, image ${disk.imageId}` },
  { name: 'MIB', align: 'right', value: ({ disk, spec }) => (disk.sizeMiB === spec.sizeMiB ? spec.sizeMiB : `${disk.sizeMiB} -> ${spec.sizeMiB}`) },
  { name: 'KIND', value: ({ disk }) => (disk.persistent ? 'persistent' : 'non-persistent') },
  { name: 'METHOD', value: ({ method }) => method },
  { name: 'SNAPSHOTS', value: ({ snapshots }) => snapshots.map(({ id, fate }) => `${id} ${fate}`).join(', ') || '-' },
];

function showPlan({ output }: CommandContext, plan: InPlacePlan): ExitCode {
  const { vm, point, disks, refusals, notes } = plan;
  output.line(
    `VM ${vm.id} ${printable(vm.name)}: ${count(disks.length, 'disk')} of ${point.id} in place${plan.stops ? '; it is stopped for it and started again' : ''}`,
  );
  if (disks.length > 0) for (const line of renderTable(COLUMNS, disks)) output.line(`  ${line}`);
  return showVerdict(
    { output },
    'in-place.plan',
    { vmId: vm.id, vmName: vm.name, pointId: point.id, stops: plan.stops, disks: disks.map(rowDocument) },
    refusals,
    notes,
  );
}

function rowDocument({ saved, disk, spec, method, snapshots }: PlannedRow): object {
  const { target, diskId, imageId, persistent } = disk;
  return { savedDiskId: saved.diskId, target, diskId, imageId, persistent, sizeMiB: spec.sizeMiB, method, snapshots };
}

/** Shared with undo: what is noted, what stands in the way, and 4 when something does. */
export function showVerdict(
  { output }: Pick<CommandContext, 'output'>,
  type: string,
  facts: object,
  refusals: InPlacePlan['refusals'],
  notes: InPlacePlan['notes'],
): ExitCode {
  for (const { message, code } of notes) output.line(`  note: ${printable(message)} (${code})`);
  for (const { target, text, remedy, code } of refusals)
    output.line(`  not possible: ${target === undefined ? '' : `${target}: `}${printable(text)}; ${printable(remedy)} (${code})`);
  if (refusals.length === 0) output.line('  nothing stands in the way');
  output.document(type, { ...facts, refusals, notes });
  return refusals.length === 0 ? EXIT.ok : EXIT.partial;
}

function question({ vm, disks, stops }: InPlacePlan): string {
  const targets = disks.map(({ disk }) => disk.target).join(', ');
  return `VM ${vm.id} ${printable(vm.name)} ${stops ? 'is stopped, ' : ''}gets ${count(disks.length, 'disk')} (${targets}) of the restore point in place of what it has${stops ? ', and is started again' : ''}.`;
}
