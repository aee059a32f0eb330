import type { Answer } from '@onevault/api';
import type { Finding } from '@onevault/orchestrator';
import type { CleanupFlags } from '../commands/cleanup.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { countFindings, doctorLine, findingLines } from '../render/doctor-text.ts';
import { type Column, renderTable } from '../render/table.ts';
import { formatBytes, formatTime } from '../render/units.ts';
import { refuseFlags } from './not-through-server.ts';
import type { RemoteContext } from './remote-context.ts';

const VERDICT = { ok: 'ok', warning: 'warning', error: 'problem', unknown: 'unknown' } as const;

/** What the server's own doctor finds; at most a minute old. */
export async function remoteDoctor({ client, output, signal }: RemoteContext, flags: object): Promise<ExitCode> {
  refuseFlags(flags, { fix: '--fix' });
  const findings = (await client.call('doctor', {}, { signal })).map(findingOf);
  for (const finding of findings) {
    for (const line of findingLines(finding, output.color)) output.line(line);
    if (output.mode === 'jsonl') output.document('doctor.finding', { finding });
  }
  const counts = countFindings(findings);
  output.line(doctorLine(counts));
  output.document('doctor', { ...(output.mode === 'json' && { findings }), summary: counts });
  if (counts.problem > 0) return EXIT.partial;
  return counts.warning + counts.unknown > 0 ? EXIT.degraded : EXIT.ok;
}

function findingOf({ area, severity, code, what, why, remedy }: Answer<'doctor'>[number]): Finding {
  return { area: area as Finding['area'], verdict: VERDICT[severity], code, subject: what, text: why, ...(remedy !== undefined && { remedy }) };
}

type Orphan = Answer<'listOrphans'>[number];

const COLUMNS: readonly Column<Orphan>[] = [
  { name: 'KIND', value: ({ kind }) => kind },
  { name: 'OBJECT', value: ({ name }) => name },
  { name: 'WHERE', value: ({ where }) => where },
  { name: 'SIZE', align: 'right', value: ({ sizeBytes }) => (sizeBytes === undefined ? undefined : formatBytes(sizeBytes)) },
  { name: 'SINCE', value: ({ since }) => since && formatTime(since) },
  { name: 'RUN', value: ({ runId }) => runId },
];

/** What dead runs left in OpenNebula; the server's next run takes away what its journals know. */
export async function remoteOrphans({ client, output, signal }: RemoteContext, flags: CleanupFlags): Promise<ExitCode> {
  refuseFlags(flags, { apply: '--apply', olderThan: '--older-than', otherProxies: '--other-proxies' });
  const orphans = await client.call('listOrphans', {}, { signal });
  if (orphans.length > 0) for (const line of renderTable(COLUMNS, orphans)) output.line(line);
  else output.line('nothing of ours is left behind');
  output.document('cleanup.list', { orphans, spared: [] });
  return orphans.length === 0 ? EXIT.ok : EXIT.partial;
}
