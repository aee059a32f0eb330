import type { Answer } from '@onevault/api';
import type { SnapshotReport } from '@onevault/orchestrator';
import type { CreateFlags } from '../commands/snapshot/create.ts';
import type { DeleteFlags } from '../commands/snapshot/delete.ts';
import type { ListFlags } from '../commands/snapshot/list.ts';
import type { RevertFlags } from '../commands/snapshot/revert.ts';
import { type LimitFlags, limitsOf } from '../commands/snapshot/snapshot-flags.ts';
import { tableOptions } from '../commands/table-flags.ts';
import { confirm } from '../confirm.ts';
import { CliError, usageError } from '../errors.ts';
import { EXIT, type ExitCode, reportError } from '../exit.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import { snapshotFailedLine, snapshotLine } from '../render/summary-line.ts';
import { type Column, printable, renderTable } from '../render/table.ts';
import { formatTime } from '../render/units.ts';
import { NOT_RECOVERING, refuseFlags } from './not-through-server.ts';
import { concludeRemote, errorFacts, outcomesOf } from './outcomes.ts';
import type { RemoteContext } from './remote-context.ts';
import { selectRemoteVm, selectRemoteVms } from './remote-vms.ts';
import { type RequestInput, reportOf } from './run-to-end.ts';
import { diskNumber, stopOf } from './swaps.ts';

type RemoteSet = Answer<'listSnapshots'>[number];
type Action = SnapshotReport['action'];

interface Row {
  readonly vmId: number;
  readonly set: RemoteSet;
}

const COLUMNS: readonly Column<Row>[] = [
  { name: 'VM', align: 'right', value: ({ vmId }) => vmId },
  { name: 'SET', value: ({ set }) => set.setId },
  { name: 'NAME', value: ({ set }) => set.name },
  { name: 'WHOSE', value: ({ set }) => ({ set: 'ours', backup: 'a backup', foreign: 'foreign' })[set.origin] },
  { name: 'DISKS', value: ({ set }) => set.disks.map(({ diskId }) => diskId).join(',') },
  { name: 'TAKEN', value: ({ set }) => formatTime(set.createdAt) },
  { name: 'REVERTABLE', value: ({ set }) => set.revertRefusals[0]?.code ?? 'yes' },
  { name: 'DELETABLE', value: ({ set }) => set.deleteRefusals[0]?.code ?? 'yes' },
];

/** One line for each set, and what stands against reverting and deleting it. */
export async function remoteSnapshotList(context: RemoteContext, argv: readonly string[], flags: ListFlags): Promise<ExitCode> {
  const { client, output, signal } = context;
  const rows: Row[] = [];
  const ids = await selectRemoteVms(context, argv, flags);
  for (const vmId of ids) for (const set of await client.call('listSnapshots', { params: { vmId } }, { signal })) rows.push({ vmId, set });
  for (const line of renderTable(COLUMNS, rows, tableOptions(flags))) output.line(line);
  output.document('snapshot.list', { vms: ids.map((vmId) => ({ vmId, sets: rows.filter((row) => row.vmId === vmId).map(({ set }) => set) })) });
  return EXIT.ok;
}

export async function remoteSnapshotCreate(context: RemoteContext, argv: readonly string[], flags: CreateFlags): Promise<ExitCode> {
  refuseFlags(flags, NOT_RECOVERING);
  const ids = await selectRemoteVms(context, argv);
  const wish = {
    ...limitWish(flags),
    ...disksOf(flags),
    ...(flags.name !== undefined && { name: flags.name }),
    ...(flags.keepPartial === true && { keepPartial: true }),
  };
  return doSnapshots(
    context,
    'create',
    ids,
    ids.map((vmId) => ({ kind: 'snapshot-create', vmId, ...wish })),
  );
}

export async function remoteSnapshotRevert(context: RemoteContext, vm: string, reference: string, flags: RevertFlags): Promise<ExitCode> {
  refuseFlags(flags, { ...NOT_RECOVERING, foreign: '--foreign' });
  const vmId = await selectRemoteVm(context, vm);
  const set = await setNamed(context, vmId, reference);
  const question = `VM ${vmId} is powered off for it if it runs; its disks go back to '${printable(set.name)}' of ${formatTime(set.createdAt)}, and what was written since is lost.`;
  if (flags.yes !== true && !(await confirm(context, question))) return nothingDone(context, 'reverted');
  const request: RequestInput = {
    kind: 'snapshot-revert',
    vmId,
    set: set.reference,
    safety: flags.snapshotFirst === true,
    ...disksOf(flags),
    ...stopOf(flags),
    ...limitWish(flags),
    ...(flags.allowBranch === true && { allowBranch: true }),
    ...(flags.dropYounger === true && { dropYounger: true }),
  };
  return doSnapshots(context, 'revert', [vmId], [request]);
}

export async function remoteSnapshotDelete(context: RemoteContext, vm: string, references: readonly string[], flags: DeleteFlags): Promise<ExitCode> {
  refuseFlags(flags, { ...NOT_RECOVERING, foreign: '--foreign' });
  const vmId = await selectRemoteVm(context, vm);
  const sets: RemoteSet[] = [];
  for (const reference of references) sets.push(await setNamed(context, vmId, reference));
  const names = sets.map(({ name }) => `'${printable(name)}'`).join(', ');
  if (flags.yes !== true && !(await confirm(context, `Snapshots of VM ${vmId} (${names}) will be deleted.`))) return nothingDone(context, 'deleted');
  const requests = sets.map(({ reference }): RequestInput => ({ kind: 'snapshot-delete', vmId, set: reference, ...disksOf(flags) }));
  return doSnapshots(
    context,
    'delete',
    sets.map(() => vmId),
    requests,
  );
}

async function doSnapshots(context: RemoteContext, action: Action, ids: readonly number[], requests: readonly RequestInput[]): Promise<ExitCode> {
  const { output, clock } = context;
  using renderer = jobRenderer(output, clock);
  const outcomes = await outcomesOf(
    context,
    requests,
    (event) => renderer.emit(event),
    (outcome, at) => {
      if ('run' in outcome) output.line(snapshotLine(reportOf<SnapshotReport>(outcome.run)));
      else if (requests.length > 1) {
        output.warn(`VM ${ids[at]}: ${errorFacts(outcome.error).message}`);
        output.line(snapshotFailedLine(action, ids[at] ?? -1, errorFacts(outcome.error).code ?? 'INTERNAL'));
      }
    },
  );
  output.document(`snapshot.${action}`, {
    snapshots: outcomes.map((outcome, at) =>
      'run' in outcome
        ? { outcome: outcome.run.state === 'degraded' ? 'residue' : 'complete', serverRun: outcome.run.id, ...outcome.run.report }
        : { outcome: 'failed', vmId: ids[at], error: errorFacts(outcome.error) },
    ),
    notAttempted: [],
  });
  const { exitCode, error } = concludeRemote(outcomes);
  return error === undefined ? exitCode : reportError(output, error);
}

/** What is asked about is what is done: `latest` may be another one by then. */
async function setNamed({ client, signal }: RemoteContext, vmId: number, reference: string): Promise<RemoteSet> {
  const sets = await client.call('listSnapshots', { params: { vmId } }, { signal });
  const ours = sets.filter((set) => set.ours);
  const ways: ((set: RemoteSet) => boolean)[] = [
    (set) => set.reference === reference || set.setId === reference,
    (set) => set.name === reference,
    (set) => reference.length >= 8 && set.setId?.startsWith(reference) === true,
  ];
  const found = reference === 'latest' ? ours.slice(0, 1) : (ways.map((way) => sets.filter(way)).find((some) => some.length > 0) ?? []);
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  if (only === undefined)
    throw new CliError({
      code: 'CLI_SNAPSHOT_NOT_FOUND',
      message: `VM ${vmId} has no snapshot '${reference}'`,
      hint: `onevault snapshot list ${vmId} shows what there is`,
    });
  throw usageError(`'${reference}' means ${found.length} snapshots of VM ${vmId}`, `name one by its set: ${found.map((set) => set.reference).join(', ')}`);
}

function nothingDone({ output }: RemoteContext, what: string): ExitCode {
  output.note(`nothing was ${what}`);
  return EXIT.cancelled;
}

function disksOf({ disk }: { readonly disk?: readonly string[] }) {
  return disk === undefined ? {} : { disks: disk.map(diskNumber) };
}

function limitWish(flags: LimitFlags) {
  const { maxChain, allowLongFreeze, acceptPermanent } = limitsOf(flags);
  return { maxChain, ...(allowLongFreeze && { allowLongFreeze }), ...(acceptPermanent && { acceptPermanent }) };
}
