import type { HoldFlags } from '../commands/point/marks.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { printable } from '../render/table.ts';
import { formatTime } from '../render/units.ts';
import { parseDate } from '../select/date-argument.ts';
import { refuseFlags } from './not-through-server.ts';
import type { RemoteContext } from './remote-context.ts';
import { selectRemotePoint } from './remote-points.ts';

/** Who holds it is whose token it is. */
export async function remoteHold(context: RemoteContext, text: string, flags: HoldFlags): Promise<ExitCode> {
  refuseFlags(flags, { by: '--by' });
  const { client, output, signal } = context;
  const until = flags.until === undefined ? undefined : parseDate(flags.until, '--until').toISOString();
  const body = { reason: flags.reason, ...(until !== undefined && { until }) };
  const { repository, id: pointId } = await selectRemotePoint(context, text, undefined);
  await client.call('holdPoint', { params: { repository, pointId }, body }, { signal });
  output.line(`held ${pointId}: ${printable(flags.reason)}${until === undefined ? '' : `, until ${formatTime(until)}`}`);
  output.document('point.hold', { pointId, repository, hold: body });
  return EXIT.ok;
}

/** A server takes all holds of a restore point away, or none: it does not tell them apart. */
export async function remoteRelease(context: RemoteContext, text: string, holds: readonly string[], all: boolean): Promise<ExitCode> {
  if (holds.length > 0 || !all)
    throw usageError('a server releases every hold of a restore point', 'say --all, or release single ones where the repository is');
  const { client, output, signal } = context;
  const { repository, id: pointId } = await selectRemotePoint(context, text, undefined);
  await client.call('releasePoint', { params: { repository, pointId } }, { signal });
  output.line(`released ${pointId}: every hold`);
  output.document('point.release', { pointId, repository, all: true });
  return EXIT.ok;
}

export async function remoteTag(context: RemoteContext, text: string, named: readonly string[], remove: boolean): Promise<ExitCode> {
  const { client, output, signal } = context;
  const { repository, id: pointId, tags: before } = await selectRemotePoint(context, text, undefined);
  const tags = remove ? before.filter((tag) => !named.includes(tag)) : [...new Set([...before, ...named])];
  await client.call('tagPoint', { params: { repository, pointId }, body: { tags } }, { signal });
  output.line(`tags of ${pointId}: ${tags.join(', ') || 'none'}`);
  output.document('point.tag', { pointId, repository, tags });
  return EXIT.ok;
}
