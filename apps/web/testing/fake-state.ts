import type { Answer, Role } from '@onevault/api';
import { DAY, fakePoints, fakeVm, GIB } from './fake-cloud.ts';
import { FakeRuns } from './fake-runs.ts';

export interface FakeOptions {
  /** How many VMs there are. */
  readonly vms?: number;
  /** Nothing is set up. */
  readonly fresh?: boolean;
  readonly now?: () => number;
}

type Policy = Answer<'listPolicies'>[number];
type Repository = Answer<'listRepositories'>[number];

/** What the fake server knows. */
export interface FakeState {
  readonly now: () => number;
  readonly vms: readonly Answer<'getVm'>[];
  readonly runs: FakeRuns;
  readonly policies: Map<string, Policy>;
  readonly repositories: Map<string, Repository>;
  readonly tokens: Map<string, Answer<'listTokens'>[number]>;
  readonly roles: Map<string, Role>;
  readonly audit: Answer<'readAudit'>[number][];
  readonly snapshots: Map<number, Answer<'listSnapshots'>>;
  readonly changedPoints: Map<string, Partial<Answer<'getPoint'>>>;
  pointsOf(vmId: number): Answer<'getPoint'>[];
}

export function makeState({ vms = 240, fresh = false, now = Date.now }: FakeOptions): FakeState {
  const nowMs = now();
  const all = Array.from({ length: vms }, (_, id) => fakeVm(id, nowMs));
  const changedPoints = new Map<string, Partial<Answer<'getPoint'>>>();
  const runs = new FakeRuns(now);
  const state: FakeState = {
    now,
    vms: fresh ? all.map(unseen) : all,
    runs,
    policies: new Map(fresh ? [] : policies(nowMs, vms)),
    repositories: new Map(fresh ? [] : repositories(nowMs)),
    tokens: new Map(),
    roles: new Map([
      ['oneadmin', 'admin'],
      ['olga', 'operator'],
      ['vera', 'viewer'],
    ]),
    audit: [],
    snapshots: new Map([[1, snapshotsOf(nowMs)]]),
    changedPoints,
    pointsOf: (vmId) => {
      const vm = all[vmId];
      return vm === undefined || fresh ? [] : fakePoints(vm, nowMs).map((point) => ({ ...point, ...changedPoints.get(point.id) }));
    },
  };
  if (!fresh) pastRuns(state, nowMs);
  return state;
}

function unseen({ newestPoint: _, ...vm }: Answer<'getVm'>): Answer<'getVm'> {
  return { ...vm, points: 0, protection: { state: 'unprotected', policies: [], reason: 'no-policy' } };
}

function policies(nowMs: number, vms: number): [string, Policy][] {
  const nextRunAt = new Date(nowMs + 5 * 3_600_000).toISOString();
  const nightly = {
    kind: 'backup',
    name: 'nightly',
    description: 'all of production, every night',
    select: { include: ['label=prod', 'name=db-*'], exclude: ['name=*-scratch'] },
    timezone: 'Europe/Berlin',
    schedules: [
      { at: 'Mon..Fri 22:30', window: '22:00-06:00' },
      { at: 'Sun 12:00', mode: 'full' },
    ],
    repository: 'main',
    retention: { keepLast: 3, keepDaily: 7, keepWeekly: 4, keepMonthly: 12 },
  };
  const hourly = {
    kind: 'snapshot',
    name: 'hourly',
    select: { include: ['label=gold'], exclude: [] },
    timezone: 'UTC',
    schedules: [{ at: 'every 1h' }],
    keep: 6,
  };
  return [
    ['nightly', { name: 'nightly', kind: 'backup', enabled: true, document: nightly, matches: Math.floor(vms * 0.9), nextRunAt, rpoMs: DAY + 7_200_000 }],
    ['hourly', { name: 'hourly', kind: 'snapshot', enabled: false, document: hourly, matches: Math.floor(vms / 5) }],
  ];
}

function repositories(nowMs: number): [string, Repository][] {
  const lastVerifyAt = new Date(nowMs - 3 * DAY).toISOString();
  return [
    [
      'main',
      {
        name: 'main',
        place: '/mnt/backup/onevault',
        encrypted: true,
        reachable: true,
        points: 5120,
        storedBytes: 9100 * GIB,
        freeBytes: 1100 * GIB,
        lastVerifyAt,
        damagedPoints: 1,
        maintenance: { timezone: 'UTC', gc: 'Sat 04:00', verify: 'Sun 04:00', verifyMode: 'sample' },
      },
    ],
    [
      'offsite',
      {
        name: 'offsite',
        place: 's3://vault/prod?endpoint=https://s3.example',
        encrypted: true,
        reachable: false,
        problem: { code: 'REPO_STORE_UNREACHABLE', text: 's3.example does not answer: connect timed out after 10 s' },
        points: 812,
        storedBytes: 1400 * GIB,
      },
    ],
  ];
}

function snapshotsOf(nowMs: number): Answer<'listSnapshots'> {
  const disks = [0, 1].map((diskId) => ({ diskId, snapshotId: 3, active: true, sizeBytes: GIB }));
  const none = { missingDisks: [], revertRefusals: [], deleteRefusals: [], reasons: [], disks };
  return [
    {
      ...none,
      setId: 's-1',
      reference: 's-1',
      name: 'before-update',
      createdAt: new Date(nowMs - DAY).toISOString(),
      ours: true,
      origin: 'set',
      canRevert: true,
      canDelete: true,
    },
    {
      ...none,
      reference: 'disk-0:1',
      name: 'by hand',
      createdAt: new Date(nowMs - 9 * DAY).toISOString(),
      ours: false,
      origin: 'foreign',
      canRevert: false,
      canDelete: false,
      reasons: [{ code: 'SNAPSHOT_FOREIGN', text: 'somebody else took it: it is left alone' }],
    },
  ];
}

/** What ran before: one of each outcome, and two that run now. */
function pastRuns(state: FakeState, nowMs: number): void {
  const ago = (minutes: number): string => new Date(nowMs - minutes * 60_000).toISOString();
  const nightly = { origin: { kind: 'schedule', name: 'nightly' }, attempt: 1, worker: 'proxy-1', progress: [], warnings: [], residue: [], steps: [] } as const;
  const backup = (vmId: number) =>
    ({ request: { kind: 'backup', vmId, repository: 'main', mode: 'auto', policy: 'nightly' }, vmName: state.vms[vmId]?.name ?? '' }) as const;
  const step = { step: 'snapshot', diskId: 0, startedAt: ago(59), durationMs: 2300, outcome: 'done' } as const;
  const common = { queuedAt: ago(60), startedAt: ago(59), endedAt: ago(50) };
  const shared = { ...nightly, ...common, progress: [], warnings: [], residue: [], steps: [step] };
  state.runs.add({
    ...shared,
    ...backup(1),
    id: 'p-ok',
    state: 'succeeded',
    steps: [step, { ...step, step: 'scan', startedAt: ago(58), durationMs: 420_000 }],
  });
  state.runs.add({
    ...shared,
    ...backup(2),
    id: 'p-degraded',
    state: 'degraded',
    warnings: [{ code: 'GUEST_NOT_FROZEN', text: 'the guest agent did not answer: crash-consistent' }],
  });
  state.runs.add({
    ...shared,
    ...backup(3),
    id: 'p-failed',
    state: 'failed',
    failure: {
      code: 'ONE_ACTION',
      message: 'one.vm.disksnapshotcreate on VM 3: quota of snapshots of user shop is exceeded',
      hint: 'raise the quota of the user, or delete snapshots',
    },
    residue: ['image onevault-p-failed-0 (id 812)'],
    steps: [step, { ...step, step: 'export', startedAt: ago(58), durationMs: 61_000, outcome: 'failed', code: 'ONE_ACTION' }],
  });
  state.runs.add({ ...shared, ...backup(4), id: 'p-cancelled', state: 'cancelled' });
  for (const vmId of [5, 6]) state.runs.start({ kind: 'backup', vmId, repository: 'main', mode: 'auto', policy: 'nightly' }, 'oneadmin', state.vms[vmId]?.name);
  for (let ticks = 0; ticks < 5; ticks += 1) state.runs.tick();
}
