import { ownVmOf } from '@onevault/composition';
import { listUndoSets, type PrunedUndo, planUndo, pruneUndo, type UndoPlan, type UndoRequest, type UndoSet, undoSwap } from '@onevault/orchestrator';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { confirm } from '../confirm.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { remoteUndo, remoteUndoList } from '../remote/swaps.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import { swapLine } from '../render/summary-line.ts';
import { type Column, printable, renderTable } from '../render/table.ts';
import { count, formatTime } from '../render/units.ts';
import { asVmError, selectVm } from '../select/select-vms.ts';
import { eachVm } from './each-vm.ts';
import { addExchangeFlags, concludeSwap, type ExchangeFlags, exchangeOf, isAgreed, showVerdict } from './in-place.ts';
import { recoverBefore } from './snapshot/recover-before.ts';
import { addTableFlags, type TableFlags, tableOptions } from './table-flags.ts';

interface ApplyFlags extends ExchangeFlags {
  readonly set?: string;
}

interface PruneFlags {
  readonly discard?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export function undoCommand(run: RunCommand): Command {
  const command = new Command('undo').description('the way back from a restore in place: what it replaced is kept on images that say so themselves');
  addExchangeFlags(command.command('apply', { isDefault: true }))
    .argument('<vm>', 'id or name')
    .option('--set <set>', 'id or its beginning; default: the newest')
    .description('bring back what was replaced; what is there now is kept as the way forward again')
    .action((vm: string, flags: ApplyFlags, sub: Command) =>
      run(
        sub,
        (context) => apply(context, vm, flags),
        (context) => remoteUndo(context, vm, flags),
      ),
    );
  addTableFlags(command.command('list'))
    .argument('[vm]', 'id or name; default: all')
    .description('ways back, newest first, and until when they are kept')
    .action((vm: string | undefined, flags: TableFlags, sub: Command) =>
      run(
        sub,
        (context) => list(context, vm, flags),
        (context) => remoteUndoList(context, vm, flags),
      ),
    );
  command
    .command('prune')
    .argument('[vm]', 'id or name; default: all')
    .option('--discard <set>', 'this one, expired or not: id or its beginning')
    .option('--dry-run', 'change nothing: say what would go')
    .option('-y, --yes', 'ask nothing, also on a terminal')
    .description('remove ways back that have expired')
    .action((vm: string | undefined, flags: PruneFlags, sub: Command) => run(sub, (context) => prune(context, vm, flags)));
  return command;
}

async function apply(context: CommandContext, argument: string, flags: ApplyFlags): Promise<ExitCode> {
  const { compose, output, clock, signal } = context;
  const exchange = exchangeOf(flags);
  using renderer = jobRenderer(output, clock);
  await using deps = await compose.openControl((event) => renderer.emit(event), { signal });
  if (flags.dryRun !== true) await recoverBefore(context, flags);
  const vmId = await selectVm(deps.cloud, argument, { signal });
  const ownVm = await ownVmOf(context.settings, deps.cloud, { signal: context.signal });
  const request: UndoRequest = { vmId, ...exchange, ...(flags.set !== undefined && { set: flags.set }), ...(ownVm !== undefined && { ownVm }) };
  const plan = await planUndo(deps, request, { signal }).catch((error: unknown) => {
    throw asVmError(error, vmId);
  });
  if (flags.dryRun === true) return showPlan(context, plan);
  if (!(await isAgreed(context, flags, plan, question(plan)))) return EXIT.cancelled;
  const { outcomes } = await eachVm(
    context,
    deps,
    [vmId],
    // What was asked about is what is done: the newest may be another one by now.
    (own) => undoSwap(own, { ...request, set: plan.set.set }, { signal }),
    (outcome) => 'report' in outcome && output.line(swapLine(outcome.report)),
  );
  return concludeSwap(context, 'undo.result', outcomes, undefined);
}

function question({ vm, set, disks, stops }: UndoPlan): string {
  const targets = disks.map(({ disk }) => disk.target).join(', ');
  return `VM ${vm.id} ${printable(vm.name)} ${stops ? 'is stopped, ' : ''}gets back ${count(disks.length, 'disk')} (${targets}) as of ${formatTime(new Date(set.since))}.`;
}

function showPlan({ output }: CommandContext, { vm, set, disks, stops, refusals, notes }: UndoPlan): ExitCode {
  output.line(`VM ${vm.id} ${printable(vm.name)}: back to ${set.set}${stops ? '; it is stopped for it and started again' : ''}`);
  for (const { disk, undo } of disks) output.line(`  ${disk.target}: image ${disk.imageId} makes way for image ${undo.image.id} ${printable(undo.image.name)}`);
  const facts = {
    vmId: vm.id,
    set: set.set,
    stops,
    disks: disks.map(({ disk, undo }) => ({ target: disk.target, imageId: disk.imageId, undoImageId: undo.image.id })),
  };
  return showVerdict({ output }, 'undo.plan', facts, refusals, notes);
}

const COLUMNS: readonly Column<UndoSet>[] = [
  { name: 'SET', value: ({ set }) => set },
  { name: 'VM', align: 'right', value: ({ vmId }) => vmId },
  { name: 'REPLACED', value: ({ since }) => formatTime(new Date(since)) },
  { name: 'UNTIL', value: ({ until }) => formatTime(new Date(until)) },
  {
    name: 'DISKS',
    value: ({ images, complete, confirmed }) =>
      `${images.map(({ target }) => target).join(',')}${confirmed ? '' : ' UNCONFIRMED'}${complete ? '' : ' INCOMPLETE'}`,
  },
  { name: 'MIB', align: 'right', value: ({ images }) => images.reduce((sum, { image }) => sum + image.sizeMiB, 0) },
  { name: 'IMAGES', value: ({ images }) => images.map(({ image }) => image.id).join(',') },
  { name: 'POINT', value: ({ pointId }) => pointId, extra: true },
];

async function list({ compose, output, signal }: CommandContext, argument: string | undefined, flags: TableFlags): Promise<ExitCode> {
  await using cloud = await compose.openCloud({ signal });
  const vmId = argument === undefined ? undefined : await selectVm(cloud, argument, { signal });
  const sets = await listUndoSets(cloud, vmId, { signal });
  if (sets.length > 0 || flags.csv === true) for (const line of renderTable(COLUMNS, sets, tableOptions(flags))) output.line(line);
  else output.line('nothing to go back to');
  output.document('undo.list', { sets: sets.map(setDocument) });
  return EXIT.ok;
}

function setDocument({ images, ...set }: UndoSet): object {
  return {
    ...set,
    images: images.map(({ image, target, replacedBy }) => ({ imageId: image.id, name: image.name, sizeMiB: image.sizeMiB, target, replacedBy })),
  };
}

async function prune(context: CommandContext, argument: string | undefined, flags: PruneFlags): Promise<ExitCode> {
  const { compose, output, signal } = context;
  await using deps = await compose.openControl(() => undefined, { signal });
  const vmId = argument === undefined ? undefined : await selectVm(deps.cloud, argument, { signal });
  const request = { ...(vmId !== undefined && { vmId }), ...(flags.discard !== undefined && { discard: flags.discard }) };
  const planned = await pruneUndo(deps, { ...request, dryRun: true }, { signal });
  const going = planned.filter(({ verdict }) => verdict !== 'kept');
  if (
    going.length > 0 &&
    flags.dryRun !== true &&
    flags.yes !== true &&
    !(await confirm(context, `${count(going.length, 'way')} back will be removed for ever.`))
  ) {
    output.note('nothing was removed');
    return EXIT.cancelled;
  }
  const pruned = flags.dryRun === true ? planned : await pruneUndo(deps, { ...request, dryRun: false }, { signal });
  for (const line of pruned.flatMap(pruneLines)) output.line(line);
  if (pruned.length === 0) output.line('nothing to go back to');
  output.document('undo.prune', { dryRun: flags.dryRun ?? false, sets: pruned.map(({ set, ...rest }) => ({ ...setDocument(set), ...rest })) });
  const left = pruned.some(({ images }) => images.some(({ outcome }) => outcome === 'failed'));
  return left ? EXIT.partial : EXIT.ok;
}

function pruneLines({ set, verdict, images }: PrunedUndo): string[] {
  const head = `${set.set} of VM ${set.vmId}: ${verdict === 'kept' ? `kept until ${formatTime(new Date(set.until))}` : verdict}`;
  if (verdict === 'kept') return [head];
  return [
    head,
    ...images.map(
      ({ target, imageId, name, outcome, error }) =>
        `  ${target}: image ${imageId} ${printable(name)} ${outcome}${error === undefined ? '' : `: ${error.message}`}`,
    ),
  ];
}
