import type { Answer, CallInput } from '@onevault/api';
import type { TableFlags } from '../commands/table-flags.ts';
import { tableOptions } from '../commands/table-flags.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import { type Column, printable, renderTable } from '../render/table.ts';
import { formatDuration, formatTime } from '../render/units.ts';
import type { RemoteContext } from './remote-context.ts';
import { selectRemotePast } from './remote-vms.ts';
import { watchToEnd } from './run-to-end.ts';

type Run = Answer<'listRuns'>['items'][number];

export interface RunListFlags extends TableFlags {
  readonly state?: string;
  readonly kind?: string;
  readonly vm?: string;
  readonly policy?: string;
  readonly limit: string;
}

const COLUMNS: readonly Column<Run>[] = [
  { name: 'RUN', value: ({ id }) => id },
  { name: 'KIND', value: ({ request }) => request.kind },
  { name: 'VM', align: 'right', value: ({ request }) => ('vmId' in request ? request.vmId : undefined) },
  { name: 'NAME', value: ({ vmName }) => vmName },
  { name: 'STATE', value: ({ state }) => state },
  { name: 'QUEUED', value: ({ queuedAt }) => formatTime(queuedAt) },
  { name: 'TOOK', align: 'right', value: (run) => tookText(run) },
  { name: 'BY', value: ({ origin }) => origin.name },
  { name: 'WHY', value: ({ failure, waitsFor }) => failure?.code ?? waitsFor?.code },
  { name: 'WORKER', extra: true, value: ({ worker }) => worker },
  { name: 'ATTEMPT', extra: true, align: 'right', value: ({ attempt }) => attempt },
];

function tookText({ startedAt, endedAt }: Run): string | undefined {
  return startedAt === undefined || endedAt === undefined ? undefined : formatDuration(Date.parse(endedAt) - Date.parse(startedAt));
}

/** Newest first. */
export async function runList(context: RemoteContext, flags: RunListFlags): Promise<ExitCode> {
  const { client, output, signal } = context;
  const limit = Number(flags.limit);
  if (!/^\d{1,6}$/.test(flags.limit) || limit < 1) throw usageError(`--limit is '${flags.limit}'`, 'a whole number from 1');
  const filter = {
    ...(flags.state !== undefined && { state: flags.state }),
    ...(flags.kind !== undefined && { kind: flags.kind }),
    ...(flags.policy !== undefined && { policy: flags.policy }),
    ...(flags.vm !== undefined && { vmId: await selectRemotePast(context, flags.vm) }),
  };
  const runs: Run[] = [];
  let cursor: string | undefined;
  do {
    const query: CallInput<'listRuns'>['query'] = { ...filter, limit: Math.min(500, limit - runs.length), cursor };
    const page = await client.call('listRuns', { query }, { signal });
    runs.push(...page.items);
    cursor = page.next;
  } while (cursor !== undefined && runs.length < limit);
  for (const line of renderTable(COLUMNS, runs, tableOptions(flags))) output.line(line);
  output.document('run.list', { runs });
  return EXIT.ok;
}

export async function runShow({ client, output, signal }: RemoteContext, runId: string): Promise<ExitCode> {
  const run = await client.call('getRun', { params: { runId } }, { signal });
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['RUN', run.id],
    ['KIND', run.request.kind],
    ['VM', run.vmName],
    ['STATE', run.state],
    ['BY', `${run.origin.kind} ${run.origin.name}`],
    ['WORKER', run.worker],
    ['ATTEMPT', String(run.attempt)],
    ['QUEUED', formatTime(run.queuedAt)],
    ['STARTED', run.startedAt && formatTime(run.startedAt)],
    ['ENDED', run.endedAt && formatTime(run.endedAt)],
    ['WAITS FOR', run.waitsFor && `${run.waitsFor.text} (${run.waitsFor.code})`],
    ['FAILURE', run.failure && `${run.failure.message} (${run.failure.code ?? 'INTERNAL'})`],
    ['HINT', run.failure?.hint],
  ];
  for (const [name, value] of facts) if (value !== undefined && value !== '') output.line(`${name.padEnd(9)}: ${printable(value)}`);
  if (run.steps.length > 0) {
    output.line();
    const table = renderTable<(typeof run.steps)[number]>(
      [
        { name: 'STEP', value: ({ step }) => step },
        { name: 'DISK', align: 'right', value: ({ diskId }) => diskId },
        { name: 'OUTCOME', value: ({ outcome }) => outcome },
        { name: 'TOOK', align: 'right', value: ({ durationMs }) => (durationMs === undefined ? undefined : formatDuration(durationMs)) },
        { name: 'CODE', value: ({ code }) => code },
      ],
      run.steps,
    );
    for (const line of table) output.line(line);
  }
  for (const { code, text } of run.warnings) output.warn(`${text} (${code})`);
  for (const left of run.residue) output.warn(`left in OpenNebula: ${left}`);
  output.document('run.show', { run });
  return EXIT.ok;
}

/** From its beginning to its end, also when it has ended. */
export async function runWatch(context: RemoteContext, runId: string): Promise<ExitCode> {
  const { output, clock } = context;
  using renderer = jobRenderer(output, clock);
  const run = await watchToEnd(context, runId, (event) => renderer.emit(event));
  output.line(`run id=${run.id} kind=${run.request.kind} result=${run.state}`);
  output.document('run.watch', { run });
  return run.state === 'degraded' ? EXIT.partial : EXIT.ok;
}

export async function runCancel({ client, output, signal }: RemoteContext, ids: readonly string[]): Promise<ExitCode> {
  for (const runId of ids) {
    await client.call('cancelRun', { params: { runId } }, { signal });
    output.line(`run id=${runId} cancel=asked`);
  }
  output.document('run.cancel', { runs: ids });
  return EXIT.ok;
}
