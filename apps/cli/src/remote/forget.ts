import type { ForgetFlags } from '../commands/point/forget.ts';
import { EXIT, type ExitCode, reportError } from '../exit.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import { printable } from '../render/table.ts';
import { refuseFlags } from './not-through-server.ts';
import { concludeRemote, errorFacts, outcomesOf } from './outcomes.ts';
import type { RemoteContext } from './remote-context.ts';
import { type RemotePoint, selectRemotePoint } from './remote-points.ts';

/** A run for each; all of them are looked up before the first is begun. The last good one of a VM stays: a server has no --even-last. */
export async function remoteForget(context: RemoteContext, wanted: readonly string[], flags: ForgetFlags): Promise<ExitCode> {
  refuseFlags(flags, { evenLast: '--even-last' });
  const { output, clock } = context;
  const dryRun = flags.dryRun === true;
  const points: RemotePoint[] = [];
  for (const text of wanted) points.push(await selectRemotePoint(context, text, undefined));
  const nameOf = ({ id, vmName }: RemotePoint): string => `${id} of VM ${printable(vmName)}`;
  if (dryRun) {
    for (const point of points) output.line(`would forget ${nameOf(point)}`);
    output.document('point.forget', { dryRun, points: points.map(({ id, repository }) => ({ pointId: id, repository, forgotten: false })) });
    return EXIT.ok;
  }
  using renderer = jobRenderer(output, clock);
  const requests = points.map(({ repository, id }) => ({ kind: 'forget' as const, repository, pointId: id }));
  const outcomes = await outcomesOf(
    context,
    requests,
    (event) => renderer.emit(event),
    (outcome, at) => {
      const point = points[at];
      if (point === undefined) return;
      if ('run' in outcome) output.line(`forgot ${nameOf(point)}`);
      else if (points.length > 1) output.warn(`kept ${nameOf(point)}: ${errorFacts(outcome.error).message}`);
    },
  );
  output.document('point.forget', {
    dryRun,
    points: points.flatMap(({ id, repository }, at) => {
      const outcome = outcomes[at];
      if (outcome === undefined) return [];
      return [{ pointId: id, repository, forgotten: 'run' in outcome, ...('error' in outcome && { error: errorFacts(outcome.error) }) }];
    }),
  });
  const { exitCode, error } = concludeRemote(outcomes);
  return error === undefined ? exitCode : reportError(output, error);
}
