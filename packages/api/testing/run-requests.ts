import type { RunRequest } from '../src/index.ts';

const ofPoint = { repository: 'main', pointId: 'p-1' };

/** One of every kind of run. */
export const runRequests: readonly RunRequest[] = [
  { kind: 'backup', vmId: 1, repository: 'main', mode: 'auto' },
  { kind: 'restore', ...ofPoint, name: 'web-2', method: 'auto', hold: false },
  { kind: 'restore-in-place', ...ofPoint, keepUndo: '7d', delta: false },
  { kind: 'undo', vmId: 1 },
  { kind: 'snapshot-create', vmId: 1 },
  { kind: 'snapshot-revert', vmId: 1, set: 'before-update', safety: true },
  { kind: 'snapshot-delete', vmId: 1, set: 'before-update' },
  { kind: 'drill', ...ofPoint },
  { kind: 'forget', ...ofPoint },
  { kind: 'verify', repository: 'main', mode: 'sample' },
  { kind: 'retention', repository: 'main', policy: 'nightly' },
  { kind: 'gc', repository: 'main' },
  { kind: 'recover' },
];
