import type { VerifyMode } from '@onevault/backup-format';
import { EXIT, type ExitCode } from '../exit.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import type { RemoteContext } from './remote-context.ts';
import { repositoryAt } from './remote-points.ts';
import { runToEnd } from './run-to-end.ts';

/** The server's worker reads; what it found is in its report. */
export async function remoteVerify(context: RemoteContext, mode: VerifyMode): Promise<ExitCode> {
  const { output, clock } = context;
  const repository = await repositoryAt(context);
  const wanted = typeof mode === 'object' ? { mode: 'sample' as const, percent: mode.samplePercent } : { mode };
  using renderer = jobRenderer(output, clock);
  const run = await runToEnd(context, { kind: 'verify', repository, ...wanted }, (event) => renderer.emit(event));
  const report = run.report ?? {};
  const damaged = Number(report['damaged'] ?? 0);
  const fields = ['points', 'packs', 'chunks', 'damaged'].flatMap((name) => (report[name] === undefined ? [] : [`${name}=${String(report[name])}`]));
  output.line(`verify result=${damaged > 0 ? 'damaged' : 'ok'} repository=${repository} ${fields.join(' ')}`.trimEnd());
  for (const { code, text } of run.warnings) output.warn(`${text} (${code})`);
  output.document('verify.result', { repository, serverRun: run.id, ...report });
  return damaged > 0 ? EXIT.damage : run.state === 'degraded' ? EXIT.partial : EXIT.ok;
}
