import type { FakeHandler } from './fake-server.ts';
import { backupReport } from './sample-events.ts';

/** What a server with two VMs, one repository and two restore points answers. */
export const NOW = '2026-11-28T02:00:00Z';
export const TOKEN = 'ov-token-0123456789';

const vm = (id: number, name: string, exists = true) => ({
  id,
  name,
  owner: 'alice',
  group: 'dev',
  state: 'RUNNING',
  labels: [],
  exists,
  protection: { state: 'unprotected' as const, policies: [], reason: 'no-policy' as const },
  points: 2,
  diskCount: 2,
  sizeBytes: 1024 ** 3,
});

const point = (id: string) => ({
  id,
  repository: 'main',
  vmId: 6,
  vmName: 'web',
  capturedAt: NOW,
  committedAt: NOW,
  mode: 'full' as const,
  consistency: 'crash-consistent',
  sizeBytes: 1024,
  storedBytes: 512,
  disks: [{ key: 'disk-0', diskId: 0, target: 'vda', sizeBytes: 1024 }],
  tags: ['gold'],
  damaged: false,
  keptBy: ['daily#1'],
});

export const run = (id: string, state: string, more: object = {}) => ({
  id,
  request: { kind: 'backup', vmId: 6, repository: 'main', mode: 'auto' },
  state,
  origin: { kind: 'token', name: 'ci' },
  vmName: 'web',
  queuedAt: NOW,
  startedAt: NOW,
  endedAt: '2026-11-28T02:01:00Z',
  attempt: 1,
  progress: [],
  warnings: [],
  residue: [],
  steps: [{ step: 'scan', diskId: 0, startedAt: NOW, durationMs: 1200, outcome: 'done' }],
  ...more,
});

export async function* events(...types: string[]) {
  yield { id: '0', time: NOW, runId: 'r-1', type: 'run.taken', data: { worker: 'w', attempt: 1 } };
  for (const [at, type] of types.entries())
    yield { id: String(at + 1), time: NOW, runId: 'r-1', type, data: { kind: 'backup', vmId: 6, vmName: 'web', runId: 'w-1' } };
}

const restoreChoices = {
  name: 'web-restored',
  originalLives: true,
  disks: [],
  networks: [],
  targets: { imageDatastores: [{ id: 101, name: 'fast', availableMiB: 1, totalMiB: 2 }], systemDatastores: [], networks: [] },
  questions: [],
};

export const BASE: Readonly<Record<string, FakeHandler>> = {
  listVms: ({ query }) => (query['cursor'] === undefined ? { items: [vm(5, 'db'), vm(6, 'web')], next: 'page-2' } : { items: [vm(7, 'gone', false)] }),
  listRepositories: () => [{ name: 'main', place: '/backup', encrypted: false, reachable: true }],
  listPointsOfVm: () => ({ items: [point('20261128t020000-b'), point('20261127t020000-a')] }),
  getPoint: ({ params }) => point(String(params['pointId'])),
  startRun: ({ body }) => ({ id: `r-${(body as { vmId?: number }).vmId ?? 1}` }),
  watchRun: () => events('run.started'),
  getRun: ({ params }) => run(String(params['runId']), 'succeeded', { report: { ...backupReport } }),
  restoreChoices: () => restoreChoices,
};
