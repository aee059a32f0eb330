import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Answer } from '@onevault/api';
import { parse } from 'yaml';
import { RULE_FLAGS } from '../commands/retention/policy-flags.ts';
import type { TableFlags } from '../commands/table-flags.ts';
import { tableOptions } from '../commands/table-flags.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { type Column, renderTable } from '../render/table.ts';
import { formatDuration, formatTime } from '../render/units.ts';
import { parseDate } from '../select/date-argument.ts';
import { refuseFlags } from './not-through-server.ts';
import type { RemoteContext } from './remote-context.ts';
import { selectRemotePast } from './remote-vms.ts';

type Policy = Answer<'listPolicies'>[number];

const COLUMNS: readonly Column<Policy>[] = [
  { name: 'NAME', value: ({ name }) => name },
  { name: 'KIND', value: ({ kind }) => kind },
  { name: 'ENABLED', value: ({ enabled }) => (enabled ? 'yes' : 'no') },
  { name: 'MATCHES', align: 'right', value: ({ matches }) => matches },
  { name: 'NEXT_RUN', value: ({ nextRunAt }) => nextRunAt && formatTime(nextRunAt) },
  { name: 'RPO', align: 'right', value: ({ rpoMs }) => (rpoMs === undefined ? undefined : formatDuration(rpoMs)) },
];

export async function policyList({ client, output, signal }: RemoteContext, flags: TableFlags): Promise<ExitCode> {
  const policies = await client.call('listPolicies', {}, { signal });
  for (const line of renderTable(COLUMNS, policies, tableOptions(flags))) output.line(line);
  output.document('policy.list', { policies });
  return EXIT.ok;
}

type Match = Answer<'previewPolicy'>['vms'][number];

const MATCH_COLUMNS: readonly Column<Match>[] = [
  { name: 'VM', align: 'right', value: ({ id }) => id },
  { name: 'NAME', value: ({ name }) => name },
  { name: 'VERDICT', value: ({ verdict }) => verdict },
  { name: 'BY', value: ({ by }) => by },
  { name: 'REASON', value: ({ reason }) => reason },
];

/** Of a policy that the server has, by its name, or of one in a file that it does not have yet. */
export async function policyPreview(context: RemoteContext, name: string | undefined, flags: TableFlags & { readonly file?: string }): Promise<ExitCode> {
  const { client, output, signal } = context;
  const preview = await client.call('previewPolicy', { body: await documentOf(context, name, flags.file) }, { signal });
  for (const line of renderTable(MATCH_COLUMNS, preview.vms, tableOptions(flags))) output.line(line);
  output.line(`policy-preview selected=${preview.selected} excluded=${preview.excluded}`);
  for (const { at, mode } of preview.nextRuns) output.line(`next run: ${formatTime(at)} (${mode})`);
  output.document('policy.preview', preview);
  return EXIT.ok;
}

async function documentOf({ client, around, signal }: RemoteContext, name: string | undefined, file: string | undefined) {
  if ((name === undefined) === (file === undefined))
    throw usageError('a policy is named, or a file with one is', 'policy preview NAME, or policy preview --file FILE');
  if (file !== undefined) {
    const document: unknown = parse(await readText(around.cwd, file, signal));
    if (typeof document !== 'object' || document === null) throw usageError(`${file} holds no policy`);
    return document as { readonly kind: 'backup' | 'snapshot'; readonly name: string };
  }
  const found = (await client.call('listPolicies', {}, { signal })).find((policy) => policy.name === name);
  if (found === undefined) throw usageError(`the server has no policy '${name}'`, 'onevault policy list shows them');
  return { ...found.document, kind: found.kind, name: found.name };
}

export async function readText(cwd: string, file: string, signal: AbortSignal): Promise<string> {
  try {
    return await readFile(resolve(cwd, file), { encoding: 'utf8', signal });
  } catch (error) {
    signal.throwIfAborted();
    throw usageError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`, undefined, error);
  }
}

type Day = Answer<'retentionCalendar'>['items'][number];

const DAY_COLUMNS: readonly Column<Day>[] = [
  { name: 'VM', align: 'right', value: ({ vmId }) => vmId },
  { name: 'POINT', value: ({ pointId }) => pointId },
  { name: 'CAPTURED', value: ({ capturedAt }) => formatTime(capturedAt) },
  { name: 'VERDICT', value: ({ keptBy }) => (keptBy.length > 0 ? 'keep' : 'forget') },
  { name: 'REASONS', value: ({ keptBy }) => keptBy.join(', ') || undefined },
  { name: 'GOES', value: ({ goesOn }) => goesOn && formatTime(goesOn) },
];

export interface CalendarFlags {
  readonly for?: string;
  readonly vm?: string;
  readonly at?: string;
}

/** What the retention of a policy of the server keeps and forgets, and when the others go. */
export async function retentionPreview(context: RemoteContext, flags: CalendarFlags): Promise<ExitCode> {
  const { client, output, signal } = context;
  refuseFlags(flags, RULE_FLAGS);
  if (flags.for === undefined)
    throw usageError('through a server the rules are those of one of its policies', 'name it with --for POLICY; onevault policy list shows them');
  const vmId = flags.vm === undefined ? undefined : await selectRemotePast(context, flags.vm);
  const on = flags.at === undefined ? undefined : parseDate(flags.at, '--at').toISOString();
  const days: Day[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.call('retentionCalendar', { params: { name: flags.for }, query: { limit: 500, cursor, vmId, on } }, { signal });
    days.push(...page.items);
    cursor = page.next;
  } while (cursor !== undefined);
  if (days.length > 0) for (const line of renderTable(DAY_COLUMNS, days)) output.line(line);
  const going = days.filter(({ keptBy }) => keptBy.length === 0).length;
  output.line(`retention result=ok points=${days.length} would_forget=${going}`);
  output.document('retention.preview', { policy: flags.for, points: days.map((day) => ({ ...day, verdict: day.keptBy.length > 0 ? 'keep' : 'forget' })) });
  return EXIT.ok;
}
