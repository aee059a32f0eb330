import type { RestorePoint } from '@onevault/backup-format';
import { type CallOptions, isAbort, isBaseError, serializeError } from '@onevault/base';
import { DATASTORE_TYPE, type Datastore, datastoreId, type Network } from '@onevault/one-client';
import { JobError } from '../errors.ts';
import type { RestoreRequest } from '../request.ts';
import { orderPlan } from './order-plan.ts';
import { keyOf, type PlanFile, type PlanFileVm } from './plan-file.ts';
import type { PlanDeps, PlanEntry, ResolvedPlan } from './plan-model.ts';
import { PLAN_MARK, PLAN_VM_MARK } from './standing-vms.ts';

/** What is wrong in a plan file; `path` as in the file, for whoever knows its lines. */
export interface PlanProblem {
  readonly path: readonly (string | number)[];
  readonly text: string;
}

/** What every VM of the cloud may be told to use. */
interface Choices {
  readonly datastores: readonly Datastore[];
  readonly networks: readonly Network[];
}

/** Looks up everything that a plan names, before anything is made. Throws JOB_PLAN_FILE_INVALID with every problem there is, not only the first. */
export async function resolvePlan(deps: PlanDeps, file: PlanFile, options: CallOptions = {}): Promise<ResolvedPlan> {
  const ordered = orderPlan(file.vms.map((vm) => ({ key: keyOf(vm), group: vm.group, after: vm.after })));
  if ('problems' in ordered)
    throw invalid(
      file,
      ordered.problems.map(({ at, text }) => ({ path: ['vms', at, 'after'], text })),
    );
  const choices = { datastores: await deps.cloud.datastores(options), networks: await deps.cloud.networks(options) };
  const problems: PlanProblem[] = [];
  const entries: PlanEntry[] = [];
  for (const at of ordered.order) {
    const vm = file.vms[at];
    if (vm === undefined) continue;
    const entry = await resolveVm(deps, file, vm, choices, (path, text) => problems.push({ path: ['vms', at, ...path], text }), options);
    if (entry !== undefined) entries.push(afterGroups(entry, vm, file));
  }
  for (const { key, request } of entries.filter((entry, at) => entries.findIndex((other) => other.request.name === entry.request.name) !== at))
    problems.push({ path: ['vms', file.vms.findIndex((vm) => keyOf(vm) === key), 'name'], text: `two VMs of the plan would be called '${request.name}'` });
  if (problems.length > 0) throw invalid(file, problems);
  return { name: file.name, onFailure: file.onFailure, entries };
}

/** A VM also waits for everything of the lesser groups. */
function afterGroups(entry: PlanEntry, { group }: PlanFileVm, file: PlanFile): PlanEntry {
  const earlier = file.vms.filter((other) => other.group < group).map(keyOf);
  return { ...entry, after: [...new Set([...entry.after, ...earlier])] };
}

type Complain = (path: readonly (string | number)[], text: string) => void;

async function resolveVm(
  deps: PlanDeps,
  file: PlanFile,
  vm: PlanFileVm,
  choices: Choices,
  complain: Complain,
  options: CallOptions,
): Promise<PlanEntry | undefined> {
  const point = await pointOf(deps, file, vm, complain, options);
  if (point === undefined) return undefined;
  const wishes = { ...file.defaults, ...vm };
  if (wishes.hold === true && wishes.wait !== undefined) complain(['hold'], 'a VM in HOLD shows no sign of life: wait for nothing, or do not hold it');
  const place = (field: 'imageDatastore' | 'systemDatastore', type: number): RestoreRequest['imageDatastore'] => {
    const wanted = wishes[field];
    if (wanted === undefined) return undefined;
    const found = pick(
      choices.datastores.filter((datastore) => datastore.type === type),
      wanted,
    );
    if (typeof found === 'string') complain([field], `${field} '${wanted}': ${found}`);
    return typeof found === 'string' ? undefined : datastoreId(found);
  };
  const imageDatastore = place('imageDatastore', DATASTORE_TYPE.IMAGE);
  const systemDatastore = place('systemDatastore', DATASTORE_TYPE.SYSTEM);
  const networks = Object.entries(wishes.networks ?? {}).flatMap(([from, wanted]) => {
    const to = pick(choices.networks, wanted);
    if (typeof to === 'string') complain(['networks', from], `network '${wanted}': ${to}`);
    return typeof to === 'string' ? [] : [{ from, to }];
  });
  const request: RestoreRequest = {
    pointId: point.id,
    name: vm.name ?? `${file.defaults.prefix}${savedName(point) ?? vm.vm}${file.defaults.suffix}`,
    hold: wishes.hold ?? false,
    verify: true,
    attributes: { [PLAN_MARK]: file.name, [PLAN_VM_MARK]: keyOf(vm) },
    ...(imageDatastore !== undefined && { imageDatastore }),
    ...(systemDatastore !== undefined && { systemDatastore }),
    ...(wishes.nics !== undefined && { nics: wishes.nics }),
    ...(networks.length > 0 && { networks }),
  };
  return { key: keyOf(vm), after: vm.after, point, request, wait: wishes.wait };
}

async function pointOf(deps: PlanDeps, file: PlanFile, vm: PlanFileVm, complain: Complain, options: CallOptions): Promise<RestorePoint | undefined> {
  try {
    return await deps.choosePoint(vm.vm, vm.point ?? file.defaults.point ?? 'latest', options);
  } catch (error) {
    if (isAbort(error) || !isBaseError(error)) throw error;
    complain(vm.point === undefined ? ['vm'] : ['point'], serializeError(error).message);
    return undefined;
  }
}

/** By id or exact name: the id, or why not. */
function pick(objects: readonly { readonly id: number; readonly name: string }[], wanted: string): number | string {
  const found = objects.filter(({ id, name }) => (/^\d+$/.test(wanted) ? id === Number(wanted) : name === wanted));
  const [first] = found;
  if (first !== undefined && found.length === 1) return first.id;
  const all = objects.map(({ id, name }) => `${id} ${name}`).join(', ');
  return first === undefined ? `there is none; there are ${all || 'none at all'}` : `${found.length} are called that; name it by its id`;
}

function savedName(point: RestorePoint): string | undefined {
  const vm = point.annotations['vm'];
  const name = vm !== null && typeof vm === 'object' && 'name' in vm ? vm['name'] : undefined;
  return typeof name === 'string' ? name : undefined;
}

function invalid(file: PlanFile, problems: readonly PlanProblem[]): JobError {
  return new JobError({
    code: 'JOB_PLAN_FILE_INVALID',
    message: `the plan '${file.name}' cannot be carried out: ${problems.map(({ text }) => text).join('; ')}`,
    details: { problems },
    hint: 'onevault restore-plan check FILE shows every problem with its line',
  });
}
