import { errorCode } from '@onevault/base';
import { judgePoints, type Verdict } from '../catalog/judge-points.ts';
import { pointsOfGroup, unreadableIn } from '../catalog/retention-rows.ts';
import { notFound, ServerError } from '../errors.ts';
import type { Caller, HandlerTable } from '../ports/call.ts';
import type { CatalogPoint } from '../ports/catalog.ts';
import { badRequest } from './bad-request.ts';
import type { CallOf, StateDeps } from './state-deps.ts';

export function pointHandlers(deps: StateDeps): HandlerTable {
  return {
    listPointsOfVm: async ({ params, query }: CallOf<'listPointsOfVm'>) => {
      const { limit, cursor } = query;
      const { items, next } = await deps.catalog.listOfVm(params.vmId, { limit, ...(cursor !== undefined && { cursor }) });
      return { items: await pointViews(deps, items), ...(next !== undefined && { next }) };
    },
    getPoint: async ({ params }: CallOf<'getPoint'>) => (await pointViews(deps, [await pointOf(deps, params)]))[0],
    holdPoint: (call: CallOf<'holdPoint'>) => {
      const { reason, until } = call.body;
      const spec = { reason, by: call.caller.label.slice(0, 200), ...(until !== undefined && { until: new Date(until).toISOString() }) };
      return change(deps, call, (marks, id, options) => marks.hold(id, spec, options).then(() => undefined));
    },
    releasePoint: (call: CallOf<'releasePoint'>) =>
      change(deps, call, async (marks, id, options) => {
        for await (const { holds, damaged } of marks.list({ pointId: id }, options)) {
          if (call.caller.role !== 'admin') checkHolders(call.caller, holds, damaged.length);
          const ids = [...holds, ...damaged].map((hold) => hold.id);
          if (ids.length > 0) await marks.release(id, ids, options);
        }
      }),
    tagPoint: (call: CallOf<'tagPoint'>) =>
      change(deps, call, async (marks, id, options) => {
        const before: string[] = [];
        for await (const { tags } of marks.list({ pointId: id }, options)) before.push(...tags);
        const { tags } = call.body;
        const going = before.filter((tag) => !tags.includes(tag));
        const coming = tags.filter((tag) => !before.includes(tag));
        if (coming.length > 0) await marks.tag(id, coming, options);
        if (going.length > 0) await marks.untag(id, going, options);
      }),
  };
}

type Marks = Parameters<Parameters<StateDeps['catalog']['use']>[1]>[0]['marks'];
type OfPoint = CallOf<'getPoint'>['params'];

async function pointOf({ catalog }: StateDeps, { repository, pointId }: OfPoint): Promise<CatalogPoint> {
  const point = await catalog.get(repository, pointId);
  if (point === undefined) throw notFound('restore point');
  return point;
}

/** A hold is a promise to whoever made it: administrators end any, all others their own, also by one of their tokens. All of a point's go, or none. */
function checkHolders({ user }: Caller, holds: readonly { readonly by: string; readonly reason: string }[], damaged: number): void {
  const others = holds.filter(({ by }) => by !== user && !by.endsWith(` of ${user}`));
  if (others.length === 0 && damaged === 0) return;
  const said = others.map(({ by, reason }) => `${by} (${reason})`).join(', ') || 'somebody whose name cannot be read';
  throw new ServerError({
    code: 'SERVER_FORBIDDEN',
    message: `this restore point is held by ${said}`,
    hint: 'ask them, or an administrator of onevault: holds of others are not yours to end',
  });
}

/** In the repository, and seen in the catalog when it answers. */
async function change(
  deps: StateDeps,
  { params, signal }: { readonly params: OfPoint; readonly signal: AbortSignal },
  work: (marks: Marks, id: string, options: { readonly signal: AbortSignal }) => Promise<void>,
): Promise<undefined> {
  const { repository, id, group } = await pointOf(deps, params);
  try {
    await deps.catalog.use(repository, ({ marks }) => work(marks, id, { signal }), { signal });
  } catch (error) {
    if (errorCode(error) === 'REPO_POINT_NOT_FOUND') throw notFound('restore point');
    if (!(error instanceof TypeError)) throw error;
    throw badRequest(error.message, 'Tags have 1 to 64 of A-Za-z0-9._:@+-', error);
  }
  await deps.catalog.refresh(repository, { group, signal });
}

async function pointViews(deps: StateDeps, points: readonly CatalogPoint[]): Promise<object[]> {
  const [first] = points;
  if (first === undefined) return [];
  const all = await pointsOfGroup(deps.catalog.db, first.group);
  const unreadable = await unreadableIn(deps.catalog.db, first.group);
  const verdicts = judgePoints(all, deps.settings.current(), deps.clock.now(), (repository) => unreadable.has(repository));
  const byKey = new Map([...verdicts].map(([{ repository, id }, verdict]) => [`${repository}/${id}`, verdict]));
  return points.map((point) => pointView(point, byKey.get(`${point.repository}/${point.id}`)));
}

function pointView(point: CatalogPoint, verdict: Verdict | undefined): object {
  const { group: _group, holds: _holds, policy: _policy, held, capturedAt, committedAt, ...plain } = point;
  return {
    ...plain,
    capturedAt: capturedAt.toISOString(),
    committedAt: committedAt.toISOString(),
    ...(held && { held: { reason: held.reason, ...(held.until && { until: held.until.toISOString() }) } }),
    keptBy: verdict?.keptBy ?? [],
    ...(verdict?.goesOn && { goesOn: verdict.goesOn.toISOString() }),
  };
}
