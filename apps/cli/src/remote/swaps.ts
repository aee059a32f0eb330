import type { Answer } from '@onevault/api';
import type { SwapReport } from '@onevault/orchestrator';
import type { ExchangeFlags } from '../commands/in-place.ts';
import type { TableFlags } from '../commands/table-flags.ts';
import { tableOptions } from '../commands/table-flags.ts';
import { confirm } from '../confirm.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import { swapLine } from '../render/summary-line.ts';
import { type Column, renderTable } from '../render/table.ts';
import { formatBytes, formatTime } from '../render/units.ts';
import { NOT_RECOVERING, refuseFlags } from './not-through-server.ts';
import { showPreview } from './previews.ts';
import type { RemoteContext } from './remote-context.ts';
import { selectRemotePoint } from './remote-points.ts';
import { selectRemotePast, selectRemoteVm } from './remote-vms.ts';
import { type RequestInput, reportOf, runToEnd } from './run-to-end.ts';

export interface RemoteInPlaceFlags extends ExchangeFlags {
  readonly disk?: readonly string[];
  readonly vm?: string;
  readonly delta?: boolean;
  readonly verify: boolean;
}

export async function remoteInPlace(context: RemoteContext, text: string, flags: RemoteInPlaceFlags): Promise<ExitCode> {
  refuseFlags(flags, { ...NOT_RECOVERING, otherVm: '--other-vm' });
  const { repository, id: pointId, vmId } = await selectRemotePoint(context, text, flags.vm);
  if (flags.vm !== undefined && (await selectRemotePast(context, flags.vm)) !== vmId)
    throw usageError(`restore point ${pointId} is of VM ${vmId}`, 'through a server disks go back to the VM they are of');
  const request: RequestInput = {
    kind: 'restore-in-place',
    repository,
    pointId,
    keepUndo: flags.keepUndo,
    ...stopOf(flags),
    ...(flags.disk !== undefined && { disks: flags.disk.map(diskNumber) }),
    ...(flags.delta === true && { delta: true }),
    ...(flags.allowSnapshotLoss === true && { allowSnapshotLoss: true }),
    ...(!flags.verify && { verify: false }),
  };
  return swap(context, request, flags, { plan: 'in-place.plan', result: 'in-place.result' });
}

export async function remoteUndo(context: RemoteContext, vm: string, flags: ExchangeFlags & { readonly set?: string }): Promise<ExitCode> {
  refuseFlags(flags, { ...NOT_RECOVERING, allowSnapshotLoss: '--allow-snapshot-loss' });
  const vmId = await selectRemoteVm(context, vm);
  const request: RequestInput = { kind: 'undo', vmId, keepUndo: flags.keepUndo, ...stopOf(flags), ...(flags.set !== undefined && { set: flags.set }) };
  return swap(context, request, flags, { plan: 'undo.plan', result: 'undo.result' });
}

async function swap(
  context: RemoteContext,
  body: RequestInput,
  flags: ExchangeFlags,
  types: { readonly plan: string; readonly result: string },
): Promise<ExitCode> {
  const { client, output, clock, signal } = context;
  if (flags.dryRun === true || flags.yes !== true) {
    const preview = await client.call('previewRestore', { body }, { signal });
    if (flags.dryRun === true) return showPreview(context, types.plan, preview);
    const disks = preview.objects.map(({ diskId }) => diskId).join(', ');
    const question = `The VM ${preview.stops === true ? 'is stopped, ' : ''}gets disk ${disks} exchanged${preview.stops === true ? ', and is started again' : ''}.`;
    if (preview.possible && !(await confirm(context, question))) {
      output.note('nothing was done');
      return EXIT.cancelled;
    }
  }
  using renderer = jobRenderer(output, clock);
  const run = await runToEnd(context, body, (event) => renderer.emit(event));
  const report = reportOf<SwapReport>(run);
  output.line(swapLine(report));
  output.document(types.result, { ...report, serverRun: run.id });
  return run.state === 'degraded' ? EXIT.partial : EXIT.ok;
}

export function stopOf({ stopTimeout, hard }: { readonly stopTimeout: string; readonly hard?: boolean }) {
  return { stopTimeout, ...(hard === true && { hard }) };
}

export function diskNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw usageError(`a disk is named by its id, a number: '${text}'`);
  return Number(text);
}

type UndoSet = Answer<'listUndoSets'>[number];

const COLUMNS: readonly Column<UndoSet>[] = [
  { name: 'SET', value: ({ set }) => set },
  { name: 'VM', align: 'right', value: ({ vmId }) => vmId },
  { name: 'REPLACED', value: ({ since }) => formatTime(since) },
  { name: 'UNTIL', value: ({ until }) => formatTime(until) },
  { name: 'DISKS', value: ({ images, complete }) => `${images.map(({ target }) => target).join(',')}${complete ? '' : ' INCOMPLETE'}` },
  { name: 'SIZE', align: 'right', value: ({ images }) => formatBytes(images.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)) },
  { name: 'IMAGES', value: ({ images }) => images.map(({ imageId }) => imageId).join(',') },
];

export async function remoteUndoList(context: RemoteContext, vm: string | undefined, flags: TableFlags): Promise<ExitCode> {
  const { client, output, signal } = context;
  if (vm === undefined) throw usageError('a server lists the ways back of one VM', 'name it by id or name');
  const sets = await client.call('listUndoSets', { params: { vmId: await selectRemoteVm(context, vm) } }, { signal });
  if (sets.length > 0 || flags.csv === true) for (const line of renderTable(COLUMNS, sets, tableOptions(flags))) output.line(line);
  else output.line('nothing to go back to');
  output.document('undo.list', { sets });
  return EXIT.ok;
}
