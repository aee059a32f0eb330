import type { RunRecord } from '@onevault/run-queue';

/** A run for a test: a backup of VM 17 that succeeded in a minute, but for what is said. */
export function runRecord(overrides: Partial<RunRecord> = {}): RunRecord {
  return {
    id: 'run-1',
    kind: 'backup',
    request: { kind: 'backup', vmId: 17, repository: 'main' },
    vmId: 17,
    vmName: 'web',
    origin: { kind: 'user', name: 'alice' },
    priority: 50,
    holds: [],
    reach: [],
    retry: { times: 0, afterMs: 0 },
    state: 'succeeded',
    attempt: 1,
    worker: 'worker-1',
    queuedAt: new Date('2026-11-01T10:00:00Z'),
    startedAt: new Date('2026-11-01T10:00:01Z'),
    endedAt: new Date('2026-11-01T10:01:01Z'),
    waitsFor: undefined,
    cancelRequested: false,
    notes: {},
    progress: {},
    report: undefined,
    failure: undefined,
    ...overrides,
  };
}
