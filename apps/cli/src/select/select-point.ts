import type { ListedPoint, Repository, RestorePoint } from '@onevault/backup-format';
import type { CallOptions } from '@onevault/base';
import { pointVm } from '@onevault/composition';
import { CliError, usageError } from '../errors.ts';

/** `latest`, `latest~1` (the one before), or an id or a unique prefix of one. */
export async function selectPoint(repository: Repository, text: string, vm: string | undefined, options: CallOptions = {}): Promise<RestorePoint> {
  const latest = /^latest(?:~(\d+))?$/.exec(text);
  if (latest === null) return await repository.point(text, options);
  const back = Number(latest[1] ?? 0);
  const points = readable(await pointsOfVm(repository, vm, options));
  const groups = new Set(points.map((point) => point.group));
  if (groups.size > 1) throw ambiguous(text, vm, points);
  const point = points.at(-1 - back);
  if (point !== undefined) return point;
  throw new CliError({
    code: 'CLI_POINT_NOT_FOUND',
    message: `there is no restore point ${text}${vm === undefined ? '' : ` of VM ${vm}`}: ${points.length} can be read in ${repository.location}`,
    hint: 'onevault point list shows what there is',
  });
}

/** All points of a VM by the names it is known by inside the repository: id, name, or group. Needs no OpenNebula. Damaged ones have no name and come with every selection. */
export async function pointsOfVm(repository: Repository, vm: string | undefined, options: CallOptions = {}): Promise<ListedPoint[]> {
  const points: ListedPoint[] = [];
  for await (const listed of repository.points({}, options)) {
    if (vm === undefined || listed.kind === 'damaged' || isOfVm(listed.point, vm)) points.push(listed);
  }
  return points;
}

function readable(listed: readonly ListedPoint[]): RestorePoint[] {
  return listed.flatMap((one) => (one.kind === 'point' ? [one.point] : []));
}

function isOfVm(point: RestorePoint, vm: string): boolean {
  const { id, name } = pointVm(point);
  return point.group === vm || (/^\d+$/.test(vm) ? String(id) === vm : name === vm);
}

function ambiguous(text: string, vm: string | undefined, points: readonly RestorePoint[]): Error {
  const groups = [...new Set(points.map((point) => point.group))];
  if (vm === undefined)
    return usageError(`'${text}' needs a VM: the repository holds restore points of ${groups.length}`, 'say which with --vm ID or --vm NAME');
  return new CliError({
    code: 'CLI_POINT_AMBIGUOUS',
    message: `'${vm}' has been the id or name of ${groups.length} VMs: ${groups.join(', ')}`,
    details: { vm, groups },
    hint: 'name one of these groups with --vm, or the restore point by its id',
  });
}
