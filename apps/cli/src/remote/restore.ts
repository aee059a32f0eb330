import type { Answer } from '@onevault/api';
import type { RestoreReport } from '@onevault/orchestrator';
import type { RestoreFlags } from '../commands/restore.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import { restoreLine } from '../render/summary-line.ts';
import { idOfNamed } from '../select/named-object.ts';
import { NOT_RECOVERING, type Refused, refuseFlags } from './not-through-server.ts';
import { showPreview } from './previews.ts';
import type { RemoteContext } from './remote-context.ts';
import { selectRemotePoint } from './remote-points.ts';
import { type RequestInput, reportOf, runToEnd } from './run-to-end.ts';

type Choices = Answer<'restoreChoices'>;

/** Not for who is far away: what would be left is taken away where it was made, with `cleanup`. */
const REFUSED: Refused = { ...NOT_RECOVERING, keepOnFailure: '--keep-on-failure', parallel: ['--parallel', '2'] };

/** What comes back is the user's whose token it is, unless an administrator says otherwise. */
export async function remoteRestore(context: RemoteContext, text: string, flags: RestoreFlags): Promise<ExitCode> {
  const { client, output, clock, signal } = context;
  refuseFlags(flags, REFUSED);
  const { repository, id: pointId, vmName } = await selectRemotePoint(context, text, flags.vm);
  const choices = await client.call('restoreChoices', { params: { repository, pointId } }, { signal });
  const request: RequestInput = { kind: 'restore', repository, pointId, name: newName(vmName, flags), ...placesOf(flags, choices), ...wishesOf(flags) };
  if (flags.dryRun === true) return showPreview(context, 'restore.preview', await client.call('previewRestore', { body: request }, { signal }));
  using renderer = jobRenderer(output, clock);
  const run = await runToEnd(context, request, (event) => renderer.emit(event));
  const report = reportOf<RestoreReport>(run);
  output.line(restoreLine(report));
  output.document('restore.result', { ...report, serverRun: run.id });
  return run.state === 'degraded' ? EXIT.partial : EXIT.ok;
}

function newName(saved: string, { name, suffix = '' }: RestoreFlags): string {
  if (name !== undefined) return `${name}${suffix}`;
  if (suffix === '') throw usageError('the new VM has no name', '--name NAME, or --suffix TEXT to call it like the saved one with that behind');
  return `${saved}${suffix}`;
}

function wishesOf({ method, persistence, nics, hold, verify, answer = [], owner, group, asSaved, permissions }: RestoreFlags) {
  return {
    ...(method !== undefined && { method }),
    ...(persistence !== undefined && persistence !== 'as-it-was' && { persistent: persistence === 'persistent' }),
    ...(nics !== undefined && { nics }),
    ...(hold === true && { hold }),
    ...(!verify && { verify }),
    ...(answer.length > 0 && { answers: Object.fromEntries(answer.map(pair)) }),
    ...(owner !== undefined && { owner }),
    ...(group !== undefined && { group }),
    ...(asSaved === true && { asSaved }),
    ...(permissions !== undefined && { permissions }),
  };
}

/** Names are looked up among what the caller may use. */
function placesOf({ imageDatastore = [], systemDatastore, network = [] }: RestoreFlags, { targets }: Choices) {
  const byDisk: Record<string, number> = {};
  let all: number | undefined;
  for (const text of imageDatastore) {
    const [, disk, place] = /^(\d+)=(.+)$/.exec(text) ?? [];
    if (disk !== undefined && place !== undefined) byDisk[disk] = idOfNamed(targets.imageDatastores, place, 'a datastore');
    else all = idOfNamed(targets.imageDatastores, text, 'a datastore');
  }
  return {
    ...(all !== undefined && { imageDatastore: all }),
    ...(Object.keys(byDisk).length > 0 && { imageDatastores: byDisk }),
    ...(systemDatastore !== undefined && { systemDatastore: idOfNamed(targets.systemDatastores, systemDatastore, 'a datastore') }),
    ...(network.length > 0 && { networks: Object.fromEntries(network.map(pair)) }),
  };
}

function pair(text: string): [string, string] {
  const [, from, to] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (from === undefined || to === undefined) throw usageError(`'${text}' is not of the form A=B`);
  return [from, to];
}
