import { expect, test } from 'vitest';
import { cleanedLines } from '../src/render/recover-text.ts';

test('a VM that runs again and a revert that was finished do not read as removed', () => {
  const removed = [
    { object: { kind: 'revert', vmId: 6, seq: 3, disks: [] }, id: 6, label: 'revert of VM 6 that was begun: disk 0' },
    { object: { kind: 'power', vmId: 6, was: 'RUNNING', seq: 2 }, id: 6, label: 'VM 6, which was RUNNING before' },
    { object: { kind: 'image', name: 'onevault-x' }, id: 9, label: 'image onevault-x (id 9)' },
  ] as const;
  const run = { runId: 'r1', kind: 'snapshot', about: 'revert of VM 6', startedAt: '2026-11-27T19:42:00Z', outcome: 'recovered', kept: [], left: [] } as const;
  expect(cleanedLines({ ...run, removed }).slice(1)).toEqual([
    '  finished revert of VM 6 that was begun: disk 0',
    '  started VM 6, which was RUNNING before',
    '  removed image onevault-x (id 9)',
  ]);
});
