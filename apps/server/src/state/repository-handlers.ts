import { forEachConcurrent } from '@onevault/base';
import type { Caller, HandlerTable } from '../ports/call.ts';
import type { RepositoryStanding } from '../ports/catalog.ts';
import type { Maintenance, RepositorySetting, SettingsChange } from '../ports/settings-store.ts';
import type { CallOf, StateDeps } from './state-deps.ts';

const ONCE_A_WEEK: Maintenance = { timezone: 'UTC', gc: 'Sun 06:00', verify: 'Sat 06:00', verifyMode: 'sample' };

export function repositoryHandlers(deps: StateDeps): HandlerTable {
  return {
    listRepositories: async ({ caller }: CallOf<'listRepositories'>) => repositoryViews(deps, caller),
    putRepository: (call: CallOf<'putRepository'>) => putRepository(deps, call),
    deleteRepository: async ({ params }: CallOf<'deleteRepository'>) => deps.settings.removeRepository(params.name),
    exportSettings: async () => ({ contentType: 'application/yaml', filename: 'onevault.yaml', body: deps.settings.export() }),
    applySettings: async ({ body, signal }: CallOf<'applySettings'>) => {
      const changes = body.dryRun ? deps.settings.diff(body.yaml) : await deps.settings.apply(body.yaml, { signal });
      return { changes, checks: await checksOf(deps, changes, signal), applied: !body.dryRun };
    },
    checkRepository: ({ body, signal }: CallOf<'checkRepository'>) => deps.checkPlace({ place: body.place, secretFile: body.secretFile }, { signal }),
  };
}

const CHECKED_AT_ONCE = 4;

/** A repository may be away when its setting is applied: that is said, and not refused. */
async function checksOf({ checkPlace }: StateDeps, changes: readonly SettingsChange[], signal: AbortSignal): Promise<object[]> {
  const checks: object[] = [];
  const placed = changes.filter(({ place, action }) => place !== undefined && action !== 'keep');
  await forEachConcurrent(
    placed,
    async ({ name, place }) => {
      if (place !== undefined) checks.push({ name, place: place.place, ...(await checkPlace(place, { signal })) });
    },
    { signal, concurrency: CHECKED_AT_ONCE },
  );
  return checks;
}

/** Where they are, how full, and how much everybody has there is for administrators; others see what there is to choose from, and whether it works. */
export function repositoryViews({ catalog, settings }: StateDeps, caller: Caller): object[] {
  const of = new Map(settings.current().repositories.map((setting) => [setting.name, setting]));
  return catalog.repositories().map((standing) => {
    const setting = of.get(standing.name);
    return caller.role === 'admin' ? viewOf(standing, setting) : outsideOf(standing, setting?.maintenance);
  });
}

function outsideOf({ name, encrypted, reachable, problem, lastVerifyAt }: RepositoryStanding, maintenance: Maintenance | undefined): object {
  return {
    name,
    encrypted,
    reachable,
    ...(problem && { problem: { code: problem.code ?? problem.name, text: 'it cannot be read; an administrator sees why' } }),
    ...seenByAll(lastVerifyAt, maintenance),
  };
}

function seenByAll(lastVerifyAt: Date | undefined, maintenance: Maintenance | undefined): object {
  return {
    ...(lastVerifyAt && { lastVerifyAt: lastVerifyAt.toISOString() }),
    ...(maintenance && { maintenance: { ...maintenance, gc: maintenance.gc ?? 'none', verify: maintenance.verify ?? 'none' } }),
  };
}

/** Opened first: one that cannot be opened is none. */
async function putRepository(deps: StateDeps, { caller, params, body, signal }: CallOf<'putRepository'>): Promise<object | undefined> {
  const before = deps.settings.current().repositories.find(({ name }) => name === params.name);
  const setting: RepositorySetting = {
    name: params.name,
    place: body.place,
    secretFile: body.secretFile,
    maintenance: maintenanceOf(before?.maintenance ?? ONCE_A_WEEK, body.maintenance ?? {}),
  };
  await (await deps.openPlace(setting, { create: body.create, signal }))[Symbol.asyncDispose]();
  await deps.settings.putRepository(setting);
  await deps.catalog.refresh(params.name, { signal });
  return repositoryViews(deps, caller).find((view) => 'name' in view && view.name === params.name);
}

function maintenanceOf(before: Maintenance, { timezone, gc, verify, verifyMode }: NonNullable<CallOf<'putRepository'>['body']['maintenance']>): Maintenance {
  const schedule = (now: string | undefined, then: string | undefined): string | undefined => (now === undefined ? then : now === 'none' ? undefined : now);
  return {
    timezone: timezone ?? before.timezone,
    gc: schedule(gc, before.gc),
    verify: schedule(verify, before.verify),
    verifyMode: verifyMode ?? before.verifyMode,
  };
}

function viewOf(standing: RepositoryStanding, setting: RepositorySetting | undefined): object {
  const { problem, lastVerifyAt, storedBytes, freeBytes, pointBytes: _pointBytes, ...plain } = standing;
  return {
    ...plain,
    ...(setting?.secretFile !== undefined && { secretFile: setting.secretFile }),
    ...(problem && { problem: { code: problem.code ?? problem.name, text: problem.message } }),
    ...(storedBytes !== undefined && { storedBytes }),
    ...(freeBytes !== undefined && { freeBytes }),
    ...seenByAll(lastVerifyAt, setting?.maintenance),
  };
}
