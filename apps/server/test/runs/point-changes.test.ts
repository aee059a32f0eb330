import type { StreamEvent } from '@onevault/api';
import { silentLogger } from '@onevault/base';
import type { RunRecord } from '@onevault/run-queue';
import { expect, it } from 'vitest';
import { afterRuns } from '../../src/catalog/after-runs.ts';
import { withChanges } from '../../src/runs/with-changes.ts';
import { runRecord } from '../../testing/index.ts';

/** Listeners to one thing, and a way to tell them. */
function telling<T>() {
  const listeners = new Set<(told: T) => void>();
  return {
    listeners,
    tell: (told: T): void => {
      for (const listener of listeners) listener(told);
    },
    listen: (listener: (told: T) => void): Disposable => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
}

/** Ends when it is told to, as a feed does with its signal. */
function feed() {
  const waiting: StreamEvent[] = [];
  let isOver = false;
  let wake = (): void => undefined;
  async function* events(): AsyncGenerator<StreamEvent> {
    for (;;) {
      yield* waiting.splice(0);
      if (isOver) return;
      if (waiting.length > 0) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  const push = (id: string): void => {
    waiting.push({ id, time: '2026-11-28T12:00:00.000Z', type: 'run.ended', runId: 'r', data: {} });
    wake();
  };
  const end = (): void => {
    isOver = true;
    wake();
  };
  return { events: events(), push, end };
}

const told = (vmIds: readonly number[]): StreamEvent => ({ id: '', time: '2026-11-28T12:00:00.000Z', type: 'points.changed', data: { vmIds } });

it('whoever listens to everything hears which VMs’ restore points have changed, once, and loses no event for it', async () => {
  const { events, push, end } = feed();
  const changes = telling<ReadonlySet<number>>();
  const stream = withChanges(events, { onChange: changes.listen }, told);
  const first = stream.next();
  changes.tell(new Set([7]));
  expect((await first).value).toEqual(told([7]));
  // Nobody takes anything meanwhile: it is told as one.
  changes.tell(new Set([7]));
  changes.tell(new Set([8, 7]));
  push('1');
  push('2');
  expect((await stream.next()).value).toEqual(told([7, 8]));
  expect((await stream.next()).value?.id).toBe('1');
  expect((await stream.next()).value?.id).toBe('2');
  const last = stream.next();
  end();
  expect((await last).done).toBe(true);
  expect(changes.listeners.size).toBe(0);
});

it('of what the listener may not see nothing is told', async () => {
  const { events, push } = feed();
  const changes = telling<ReadonlySet<number>>();
  const stream = withChanges(events, { onChange: changes.listen }, () => undefined);
  const next = stream.next();
  changes.tell(new Set([7]));
  await Promise.resolve();
  push('1');
  expect((await next).value?.id).toBe('1');
  await stream.return();
  expect(changes.listeners.size).toBe(0);
});

it('after a run of one VM only its restore points are read; what ends meanwhile is read once more, and not once for each', async () => {
  const ended = telling<RunRecord>();
  const reads: unknown[] = [];
  const held: (() => void)[] = [];
  const catalog = {
    groupOf: (vmId: number) => (vmId === 9 ? 'gone-9' : undefined),
    refresh: (name: string, options: object = {}) => {
      reads.push([name, options]);
      return new Promise<void>((resolve) => void held.push(resolve));
    },
  };
  using _after = afterRuns({ runs: { onEnded: ended.listen }, catalog, inventory: { groupOf: (id) => (id === 1 ? 'vm-1' : undefined) }, logger: silentLogger });
  const request = { request: { kind: 'backup' }, repository: { name: 'main', place: '/vault' } };
  const end = (kind: string, vmId?: number): void => ended.tell(runRecord({ kind, request, ...(vmId !== undefined && { vmId }) }));
  end('backup', 1);
  end('forget', 9);
  end('gc');
  end('snapshot-create', 1);
  expect(reads.splice(0)).toEqual([
    ['main', { weigh: false, group: 'vm-1' }],
    ['main', { weigh: false, group: 'gone-9' }],
    ['main', { weigh: true }],
  ]);
  end('backup', 1);
  end('backup', 1);
  end('backup', 1);
  expect(reads).toEqual([]);
  for (const go of held.splice(0)) go();
  await expect.poll(() => reads.length).toBe(1);
  expect(reads).toEqual([['main', { weigh: false, group: 'vm-1' }]]);
  for (const go of held.splice(0)) go();
  await new Promise((resolve) => setImmediate(resolve));
  expect(reads).toHaveLength(1);
});
