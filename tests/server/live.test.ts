import { OPERATIONS, type OperationId } from '@onevault/api';
import { fileStore, openRepository, type Repository } from '@onevault/backup-format';
import { type CallOptions, silentLogger, systemClock } from '@onevault/base';
import { backupVm, createSnapshotSet, restoreInPlace } from '@onevault/orchestrator';
import { createLiveHandlers, type Handler, type InventoryVm, type LiveDeps, type LiveHandlers } from '@onevault/server';
import { callOf, SOMEBODY } from '@onevault/server/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeWorld, type World } from '../support/world.ts';

let world: World;
let live: LiveHandlers;
let pointId: string;
let hung: Promise<Repository>;

beforeAll(async () => {
  world = await makeWorld({ disks: [{ sizeMiB: 2, persistent: true }, { sizeMiB: 1 }] });
  pointId = (await backupVm(world.deps(), world.backupRequest())).pointId;
  hung = new Promise(() => undefined);
  live = createLiveHandlers(depsOf());
}, 60_000);

afterAll(async () => {
  await live?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

function depsOf(overrides: Partial<LiveDeps> = {}): LiveDeps {
  const setting = { secretFile: undefined, maintenance: { timezone: 'UTC', gc: undefined, verify: undefined, verifyMode: 'sample' as const } };
  const repositories = ['main', 'away', 'hung'].map((name) => ({ name, place: `/${name}`, ...setting }));
  return {
    cloud: world.cloud,
    settings: { current: () => ({ repositories }) as unknown as ReturnType<LiveDeps['settings']['current']> },
    openRepository: async (name: string, options: CallOptions) => {
      if (name === 'hung') return hung;
      return openRepository(fileStore(name === 'main' ? world.repositoryPath : '/nowhere'), { clock: systemClock }, options);
    },
    inventory: { vm: () => undefined },
    workers: {
      list: async () => [
        { name: 'w1', proxyVm: { id: world.proxyVm, name: 'proxy' }, lastSeenAt: new Date(), running: 1, slots: 1, datastores: [] },
        { name: 'w2', proxyVm: undefined, lastSeenAt: new Date(0), running: 0, slots: 1, datastores: [] },
      ],
    },
    journals: world.journals,
    doctor: {
      frontEndTime: () => undefined,
      findProxy: async () => world.proxyVm,
      identification: () => 'by a serial of ours',
      storage: async () => [],
      volumes: async () => [],
    },
    clock: systemClock,
    logger: silentLogger,
    environment: {},
    ...overrides,
  };
}

/** As the HTTP side does: the answer is what the schema lets through. */
async function ask(id: OperationId, call: Parameters<typeof callOf>[0] = {}, handlers = live.handlers): Promise<unknown> {
  const operation = OPERATIONS.find((one) => one.id === id);
  const handler = handlers[id] as Handler | undefined;
  if (operation === undefined || handler === undefined || !('body' in operation.answer)) throw new Error(`no handler of ${id}`);
  return operation.answer.body.parse(await handler(callOf(call)));
}

describe('what is asked of the cloud at once', () => {
  it('says of a VM which disks it has and what a backup would do', async () => {
    const detail = await live.vmDetails.vmDetail(world.vm);
    expect(detail.verdict).toBe('ok');
    expect(detail.disks.map(({ target, persistent, capture }) => ({ target, persistent, verdict: capture.verdict }))).toEqual([
      { target: 'vda', persistent: true, verdict: 'ok' },
      { target: 'vdb', persistent: false, verdict: 'ok' },
      { target: 'vdc', persistent: false, verdict: 'skipped' },
    ]);
    expect(detail.disks[2]?.capture.reasons[0]?.code).toBe('SKIP_VOLATILE');
    await expect(live.vmDetails.vmDetail(4711)).rejects.toMatchObject({ code: 'SERVER_NOT_FOUND' });
  });

  it('says of snapshots whose they are, and what stands against reverting and deleting them', async () => {
    const own = { maxChain: 32, allowLongFreeze: false, acceptPermanent: true, keepPartial: false };
    const { setId } = (await createSnapshotSet(world.deps(), { vmId: world.vm, label: 'before-update', ...own })).sets[0] ?? {};
    await world.must('one.vm.disksnapshotcreate', Number(world.vm), 1, 'by-hand');
    const sets = (await ask('listSnapshots', { params: { vmId: Number(world.vm) } })) as { setId?: string }[];
    expect(sets.find((set) => set.setId === setId)).toMatchObject({ name: 'before-update', reference: setId, ours: true, canDelete: false, missingDisks: [] });
    expect(sets.find((set) => set.setId === undefined)).toMatchObject({
      name: 'by-hand',
      ours: false,
      canRevert: false,
      canDelete: false,
      revertRefusals: [{ code: 'SNAPSHOT_FOREIGN' }],
    });
    await expect(ask('listSnapshots', { params: { vmId: 4711 } })).rejects.toMatchObject({ code: 'SERVER_NOT_FOUND' });
  });

  it('finds what is wrong, an unreachable repository too, and looks once for all who ask within a minute', async () => {
    const { handlers, ...rest } = createLiveHandlers(
      depsOf({ settings: depsOf().settings, openRepository: async (name) => Promise.reject(new Error(`${name} is away`)) }),
    );
    await using _end = rest;
    const [found, again] = (await Promise.all([ask('doctor', {}, handlers), ask('doctor', {}, handlers)])) as {
      area: string;
      severity: string;
      what: string;
    }[][];
    expect(again).toEqual(found);
    expect(found?.filter(({ area, severity }) => area === 'repository' && severity === 'error').map(({ what }) => what)).toEqual([
      'repository main',
      'repository away',
      'repository hung',
    ]);
    expect(found).toContainEqual(expect.objectContaining({ area: 'proxy', code: 'PROXY_STATE', severity: 'ok' }));
  });

  it('lists workers with their proxies, datastores with how disks of them are captured, and no orphans where there are none', async () => {
    expect(await ask('listProxies')).toEqual([
      expect.objectContaining({ worker: 'w1', vmId: Number(world.proxyVm), state: 'busy' }),
      expect.objectContaining({ worker: 'w2', name: 'w2', state: 'lost' }),
    ]);
    const datastores = (await ask('listDatastores')) as { driver: string; capture: { states: Record<string, { method: string }> }[] }[];
    expect(datastores.length).toBeGreaterThan(0);
    expect(Object.keys(datastores[0]?.capture[0]?.states ?? {})).toContain('RUNNING');
    expect(await ask('listOrphans')).toEqual([]);
  });
});

describe('what is asked of a repository at once', () => {
  const ofPoint = (): { repository: string; pointId: string } => ({ repository: 'main', pointId });

  it('previews a restore as a new VM: what is made, how the definition changes, what speaks against it', async () => {
    const body = { kind: 'restore', ...ofPoint(), name: 'web-2', method: 'auto', hold: false };
    const preview = (await ask('previewRestore', { body })) as { objects: { kind: string; temporary: boolean }[]; possible: boolean; definition: unknown[] };
    expect(preview.possible).toBe(true);
    expect(preview.objects.filter(({ temporary }) => !temporary).map(({ kind }) => kind)).toEqual(['image', 'image', 'vm']);
    expect(preview.definition.length).toBeGreaterThan(3);
    expect(await ask('previewRestore', { body: { ...body, imageDatastore: 4711 } }).catch((error: unknown) => error)).toMatchObject({
      code: expect.any(String),
    });
    await expect(ask('previewRestore', { body: { ...body, answers: { uuid: 'perhaps' } } })).rejects.toMatchObject({ code: 'SERVER_REQUEST_INVALID' });
    await expect(ask('previewRestore', { body: { kind: 'gc', repository: 'main' } })).rejects.toMatchObject({ code: 'SERVER_REQUEST_INVALID' });
  });

  it('judges a preview by what the caller may do, not by what the server may', async () => {
    const nobody = { ...SOMEBODY, user: 'carol', userId: await stranger(), role: 'operator' as const, may: () => false };
    const body = { kind: 'restore', ...ofPoint(), name: 'web-2', method: 'auto', hold: false };
    const preview = (await ask('previewRestore', { caller: nobody, body })) as { possible: boolean; checks: { severity: string; code: string }[] };
    expect(preview.possible).toBe(false);
    expect(preview.checks.filter(({ severity }) => severity === 'error').map(({ code }) => code)).toContain('RIGHTS_CREATE_IMAGE');
    const choices = (await ask('restoreChoices', { caller: nobody, params: ofPoint() })) as { targets: object };
    expect(choices.targets).toEqual({ imageDatastores: [], systemDatastores: [], networks: [] });
  });

  it('offers what the form of a restore needs', async () => {
    expect(await ask('restoreChoices', { params: ofPoint() })).toMatchObject({
      name: 'web-restored',
      originalLives: true,
      disks: [
        { diskId: 0, target: 'vda', saved: true },
        { diskId: 1, target: 'vdb', saved: true },
      ],
      questions: [{ question: 'uuid' }, { question: 'pci' }, { question: 'sched-actions' }],
    });
  });

  it('previews a restore in place and, after one, the way back', async () => {
    const inPlace = { kind: 'restore-in-place', ...ofPoint(), keepUndo: '7d', delta: false, disks: [1] };
    const refused = (await ask('previewRestore', { body: inPlace })) as { checks: { code: string }[]; possible: boolean };
    expect(refused).toMatchObject({ possible: false, checks: [{ code: 'RESTORE_SNAPSHOTS_LOST' }] });
    expect(await ask('previewRestore', { body: { ...inPlace, allowSnapshotLoss: true } })).toMatchObject({
      possible: true,
      stops: true,
      objects: [{ diskId: 1 }],
    });
    const stop = { gracefulMs: 60_000, hard: true };
    const wish = {
      pointId,
      vmId: world.vm,
      stop,
      keepUndoMs: 86_400_000,
      allowSnapshotLoss: true,
      disks: [1],
      delta: false,
      verify: false,
      otherVm: false,
      scanWorkers: 1,
    };
    await restoreInPlace(world.deps(), wish);
    expect(await ask('listUndoSets', { params: { vmId: Number(world.vm) } })).toMatchObject([{ complete: true, pointId, images: [{ target: 'vdb' }] }]);
    expect(await ask('previewRestore', { body: { kind: 'undo', vmId: Number(world.vm) } })).toMatchObject({ possible: true, stops: true });
  });

  it('knows only whole names of restore points, and repositories of the settings', async () => {
    await expect(ask('restoreChoices', { params: { repository: 'main', pointId: pointId.slice(0, -1) } })).rejects.toMatchObject({ code: 'SERVER_NOT_FOUND' });
    await expect(ask('restoreChoices', { params: { repository: 'other', pointId } })).rejects.toMatchObject({ code: 'SERVER_NOT_FOUND' });
    await expect(ask('restoreChoices', { params: { repository: 'away', pointId } })).rejects.toMatchObject({ code: 'REPO_NOT_FOUND' });
  });

  it('does not wait for a repository that hangs longer than it may, and answers for the others meanwhile', async () => {
    const { handlers, ...rest } = createLiveHandlers(depsOf({ clock: world.deps().clock }));
    await using _end = rest;
    const asked = ask('restoreChoices', { params: { repository: 'hung', pointId } }, handlers);
    asked.catch(() => undefined);
    expect(await ask('restoreChoices', { params: ofPoint() }, handlers)).toMatchObject({ originalLives: true });
    await expect(asked).rejects.toMatchObject({ code: 'SERVER_TIMEOUT', retryable: true });
  });

  it('lists test restores of VMs that the caller may use, newest first', async () => {
    const spec = (outcome: 'passed' | 'failed', hour: number) => ({
      group: 'g',
      pointId,
      outcome,
      startedAt: `2026-11-20T0${hour}:00:00.000Z`,
      finishedAt: `2026-11-20T0${hour}:10:00.000Z`,
      facts: {
        runId: `r${hour}`,
        sourceVmId: Number(world.vm),
        vmName: 'web',
        network: 'none',
        need: 'all',
        signs: [],
        measures: { writeMs: 1, bootMs: 1, lifeMs: 1, rtoMs: 61_000.4, restoredBytes: 1, writtenBytes: 1 },
        failure: outcome === 'passed' ? null : { stage: 'boot', code: 'JOB_DRILL_FAILED', message: 'no sign', details: {} },
        notes: [],
        residue: [],
      },
    });
    await world.repository.drills.record(spec('failed', 1));
    await world.repository.drills.record(spec('passed', 2));
    const vm = { facts: { id: Number(world.vm) } } as unknown as InventoryVm;
    const { handlers, ...rest } = createLiveHandlers(depsOf({ inventory: { vm: (id) => (id === Number(world.vm) ? vm : undefined) } }));
    await using _end = rest;
    const params = { repository: 'main' };
    expect(await ask('listDrills', { params, query: { limit: 10 } }, handlers)).toMatchObject([
      { outcome: 'passed', rtoMs: 61_000, vmName: 'web' },
      { outcome: 'failed', failure: { code: 'JOB_DRILL_FAILED' } },
    ]);
    const stranger = { ...SOMEBODY, role: 'operator' as const, mayUse: () => false };
    expect(await ask('listDrills', { caller: stranger, params, query: { limit: 10 } }, handlers)).toEqual([]);
  });
});

/** Somebody whom OpenNebula lets do nothing. */
async function stranger(): Promise<number> {
  return (await world.sim.control.createUser({ name: 'carol', password: 'secret', group: 'strangers' })).userId;
}
