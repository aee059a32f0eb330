import type { DrillRecord, DrillStanding, Repository, RestorePoint } from '@onevault/backup-format';
import { pointVm } from '@onevault/composition';
import { type DrillFacts, readDrillFacts } from '@onevault/orchestrator';
import type { CommandContext } from '../../command-context.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { signsText } from '../../render/drill-line.ts';
import { type Column, renderTable } from '../../render/table.ts';
import { formatDuration, formatTime } from '../../render/units.ts';
import { pointsOfVm } from '../../select/select-point.ts';
import { parseSpan } from '../../select/time-span.ts';
import { type TableFlags, tableOptions } from '../table-flags.ts';

export interface DrillListFlags extends TableFlags {
  readonly maxAge?: string;
}

/** A VM of which there are restore points or records. */
interface VmRow {
  readonly group: string;
  readonly vmId: number | undefined;
  readonly vmName: string | undefined;
  readonly newest: RestorePoint | undefined;
  readonly standing: DrillStanding | undefined;
  readonly last: DrillRecord | undefined;
}

interface RecordRow {
  readonly record: DrillRecord;
  readonly facts: DrillFacts | undefined;
}

const duration = (ms: number | null | undefined): string | undefined => (ms === undefined || ms === null ? undefined : formatDuration(ms));

const VM_COLUMNS: readonly Column<VmRow>[] = [
  { name: 'VM', align: 'right', value: ({ vmId }) => vmId },
  { name: 'NAME', value: ({ vmName }) => vmName },
  { name: 'PROVEN', value: ({ standing }) => (standing?.lastPassedAt === undefined ? 'never' : formatTime(standing.lastPassedAt)) },
  { name: 'LAST', value: ({ standing }) => standing?.last.outcome },
  { name: 'LAST_AT', value: ({ standing }) => standing && formatTime(standing.last.at) },
  { name: 'RTO', align: 'right', value: ({ last }) => duration(last && readDrillFacts(last.facts)?.measures.rtoMs) },
  { name: 'SIGNS', value: ({ last }) => signsText((last && readDrillFacts(last.facts))?.signs ?? []) },
  { name: 'WHY', value: ({ last }) => (last && readDrillFacts(last.facts)?.failure?.code) ?? undefined },
  { name: 'NEWEST_POINT', extra: true, value: ({ newest }) => newest?.id },
  { name: 'GROUP', extra: true, value: ({ group }) => group },
];

const RECORD_COLUMNS: readonly Column<RecordRow>[] = [
  { name: 'ENDED', value: ({ record }) => formatTime(record.finishedAt) },
  { name: 'RESULT', value: ({ record }) => record.outcome },
  { name: 'POINT', value: ({ record }) => record.pointId },
  { name: 'WRITE', align: 'right', value: ({ facts }) => duration(facts?.measures.writeMs) },
  { name: 'BOOT', align: 'right', value: ({ facts }) => duration(facts?.measures.bootMs) },
  { name: 'LIFE', align: 'right', value: ({ facts }) => duration(facts?.measures.lifeMs) },
  { name: 'RTO', align: 'right', value: ({ facts }) => duration(facts?.measures.rtoMs) },
  { name: 'SIGNS', value: ({ facts }) => signsText(facts?.signs ?? []) },
  { name: 'WHY', value: ({ facts }) => facts?.failure?.code },
  { name: 'GROUP', extra: true, value: ({ record }) => record.group },
];

export async function runDrillList(context: CommandContext, vm: string | undefined, flags: DrillListFlags): Promise<ExitCode> {
  const { compose, output, clock, signal } = context;
  await using repository = await compose.openRepository({ signal });
  if (vm !== undefined) return listRecords(context, repository, vm, flags);
  const maxAgeMs = flags.maxAge === undefined ? undefined : parseSpan(flags.maxAge, 'an age');
  const isDue = ({ standing }: VmRow): boolean =>
    maxAgeMs === undefined || standing?.lastPassedAt === undefined || clock.now().getTime() - Date.parse(standing.lastPassedAt) > maxAgeMs;
  const rows = (await vmRows(repository, signal)).filter(isDue);
  for (const line of renderTable(VM_COLUMNS, rows, tableOptions(flags))) output.line(line);
  output.document('drill.list', {
    vms: rows.map(({ group, vmId, vmName, newest, standing, last }) => ({
      group,
      vm: { id: vmId ?? null, name: vmName ?? null },
      newestPoint: newest?.id ?? null,
      lastPassedAt: standing?.lastPassedAt ?? null,
      last: last === undefined ? null : last,
    })),
  });
  return EXIT.ok;
}

/** The last record of each VM: what lies before it is not read. */
async function vmRows(repository: Repository, signal: AbortSignal): Promise<VmRow[]> {
  const standings = await repository.drills.standings({ signal });
  const newest = new Map<string, RestorePoint>();
  for (const listed of await pointsOfVm(repository, undefined, { signal })) if (listed.kind === 'point') newest.set(listed.point.group, listed.point);
  const last = new Map<string, DrillRecord>();
  for await (const record of repository.drills.list({ newest: true }, { signal })) last.set(record.group, record);
  return [...new Set([...newest.keys(), ...standings.keys()])].sort().map((group) => {
    const point = newest.get(group);
    const record = last.get(group);
    const facts = record && readDrillFacts(record.facts);
    const vm = point === undefined ? { id: facts?.sourceVmId ?? undefined, name: facts?.vmName } : pointVm(point);
    return { group, vmId: vm.id, vmName: vm.name, newest: point, standing: standings.get(group), last: record };
  });
}

async function listRecords({ output, signal }: CommandContext, repository: Repository, vm: string, flags: DrillListFlags): Promise<ExitCode> {
  const rows: RecordRow[] = [];
  for await (const record of repository.drills.list({}, { signal })) {
    const facts = readDrillFacts(record.facts);
    if (record.group === vm || facts?.vmName === vm || (facts?.sourceVmId !== null && String(facts?.sourceVmId) === vm)) rows.push({ record, facts });
  }
  for (const line of renderTable(RECORD_COLUMNS, rows, tableOptions(flags))) output.line(line);
  if (rows.length === 0) output.note(`no drill of a VM ${vm} in ${repository.location}`);
  output.document('drill.records', { records: rows.map(({ record }) => record) });
  return EXIT.ok;
}
