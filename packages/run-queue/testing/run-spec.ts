import type { RunSpec } from '../src/index.ts';

/** A backup of VM 17 that somebody asked for. */
export function runSpec(overrides: Partial<RunSpec> = {}): RunSpec {
  const vmId = overrides.vmId ?? 17;
  return {
    kind: 'backup',
    request: { repository: 'main' },
    vmId,
    origin: { kind: 'user', name: 'alice' },
    priority: 50,
    holds: [`vm:${vmId}`],
    reach: [],
    retry: { times: 0, afterMs: 0 },
    ...overrides,
  };
}
