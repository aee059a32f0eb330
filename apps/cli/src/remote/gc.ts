import type { GcReport } from '@onevault/backup-format';
import type { GcFlags } from '../commands/repo/gc.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { gcLines } from '../render/gc-text.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import { printable } from '../render/table.ts';
import { refuseFlags } from './not-through-server.ts';
import type { RemoteContext } from './remote-context.ts';
import { repositoryAt } from './remote-points.ts';
import { reportOf, runToEnd } from './run-to-end.ts';

/** As its maintenance does it: with the grace and the threshold that are usual, and waiting for leases. */
export async function remoteGc(context: RemoteContext, flags: GcFlags): Promise<ExitCode> {
  refuseFlags(flags, { dryRun: '--dry-run', grace: ['--grace', '24h'], repackBelow: ['--repack-below', '50%'], wait: '--no-wait' });
  const { output, clock } = context;
  const repository = await repositoryAt(context);
  using renderer = jobRenderer(output, clock);
  const run = await runToEnd(context, { kind: 'gc', repository }, (event) => renderer.emit(event));
  const report = reportOf<GcReport>(run);
  const durationMs = run.startedAt === undefined || run.endedAt === undefined ? 0 : Date.parse(run.endedAt) - Date.parse(run.startedAt);
  for (const line of gcLines(report, durationMs)) output.line(printable(line));
  output.document('repo.gc', { ...report, durationMs, serverRun: run.id });
  return run.state === 'degraded' ? EXIT.partial : EXIT.ok;
}
