import type { Answer } from '@onevault/api';
import type { TableFlags } from '../commands/table-flags.ts';
import { tableOptions } from '../commands/table-flags.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { type Column, renderTable } from '../render/table.ts';
import { formatTime } from '../render/units.ts';
import type { RemoteContext } from './remote-context.ts';

type AuditRecord = Answer<'readAudit'>[number];

export interface AuditFlags extends TableFlags {
  readonly actor?: string;
  readonly action?: string;
  readonly limit: string;
}

const COLUMNS: readonly Column<AuditRecord>[] = [
  { name: 'SEQ', align: 'right', value: ({ seq }) => seq },
  { name: 'TIME', value: ({ time }) => formatTime(time) },
  { name: 'ACTOR', value: ({ actor }) => actor.name },
  { name: 'ADDRESS', value: ({ actor }) => actor.address },
  { name: 'ACTION', value: ({ action }) => action },
  { name: 'OBJECT', value: ({ object }) => object },
  { name: 'OUTCOME', value: ({ outcome }) => outcome },
  { name: 'HASH', extra: true, value: ({ hash }) => hash },
];

/** Newest first. */
export async function auditList({ client, output, signal }: RemoteContext, flags: AuditFlags): Promise<ExitCode> {
  const limit = Number(flags.limit);
  if (!/^\d{1,6}$/.test(flags.limit) || limit < 1) throw usageError(`--limit is '${flags.limit}'`, 'a whole number from 1');
  const records: AuditRecord[] = [];
  for (;;) {
    const beforeSeq = records.at(-1)?.seq;
    const wanted = Math.min(500, limit - records.length);
    const page = await client.call('readAudit', { query: { limit: wanted, beforeSeq, actor: flags.actor, action: flags.action } }, { signal });
    records.push(...page);
    if (page.length < wanted || records.length >= limit) break;
  }
  for (const line of renderTable(COLUMNS, records, tableOptions(flags))) output.line(line);
  output.document('audit.list', { records });
  return EXIT.ok;
}

/** Whether the log is what was written. Exit code 13 when it is not. */
export async function auditVerify({ client, output, signal }: RemoteContext): Promise<ExitCode> {
  const verdict = await client.call('verifyAudit', {}, { signal });
  const { records, head, firstBreak } = verdict;
  const broken = firstBreak === undefined ? '' : ` break=${firstBreak.path}:${firstBreak.line} why=${firstBreak.kind}`;
  output.line(
    `audit result=${firstBreak === undefined ? 'ok' : 'broken'} records=${records}${head === undefined ? '' : ` head=${head.seq}:${head.hash}`}${broken}`,
  );
  output.document('audit.verify', verdict);
  return firstBreak === undefined ? EXIT.ok : EXIT.damage;
}
