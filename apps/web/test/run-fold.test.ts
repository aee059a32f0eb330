import type { StreamEvent } from '@onevault/api';
import { describe, expect, it } from 'vitest';
import { logText } from '../src/runs/log-line.ts';
import { phaseBars } from '../src/runs/phases-layout.ts';
import { EMPTY_RUN, foldEvent, paceOf } from '../src/runs/run-fold.ts';

const BEGIN = Date.UTC(2026, 10, 28, 12);
let count = 0;

function event(type: string, atMs: number, data: StreamEvent['data'] = {}): StreamEvent {
  count += 1;
  return { id: String(count), time: new Date(BEGIN + atMs).toISOString(), runId: 'r-1', type, data };
}

describe('the events of a run, folded', () => {
  it('tell where each disk is, how fast it is read and what is left', () => {
    const events = [0, 2000, 4000].map((atMs) =>
      event('disk.progress', atMs, { diskId: 1, phase: 'scan', doneBytes: 1000 * (atMs / 1000), totalBytes: 10_000 }),
    );
    const disk = events.reduce(foldEvent, EMPTY_RUN).disks.get(1);
    expect(disk).toMatchObject({ phase: 'scan', doneBytes: 4000, totalBytes: 10_000 });
    expect(disk && paceOf(disk)).toEqual({ bytesPerSecond: 1000, leftMs: 6000 });
  });

  it('show a disk that is done as done, with what was new and what was stored, though its last progress was told half-way', () => {
    const events = [
      event('disk.progress', 0, { diskId: 0, phase: 'scan', doneBytes: 8, totalBytes: 64, changedBytes: 0, storedBytes: 0 }),
      event('disk.finished', 900, { diskId: 0, sizeBytes: 64, readBytes: 64, durationMs: 900, stats: { newBytes: 16, storedBytes: 5 } }),
    ];
    const disk = events.reduce(foldEvent, EMPTY_RUN).disks.get(0);
    expect(disk).toMatchObject({ phase: 'done', doneBytes: 64, totalBytes: 64, changedBytes: undefined, newBytes: 16, storedBytes: 5 });
    expect(disk && paceOf(disk)).toBeUndefined();
  });

  it('count an event once that comes again after a reconnection', () => {
    const step = event('step.started', 0, { step: 'scan', diskId: 0 });
    expect([step, step].reduce(foldEvent, EMPTY_RUN).steps).toHaveLength(1);
  });

  it('end the step of that disk and object, and no other', () => {
    const events = [
      event('step.started', 0, { step: 'scan', diskId: 0 }),
      event('step.started', 100, { step: 'scan', diskId: 1 }),
      event('step.failed', 300, { step: 'scan', diskId: 0, durationMs: 300, code: 'CBT_READ' }),
    ];
    const { steps } = events.reduce(foldEvent, EMPTY_RUN);
    expect(steps.map(({ outcome, code }) => [outcome, code])).toEqual([
      ['failed', 'CBT_READ'],
      ['running', undefined],
    ]);
    expect(phaseBars(steps, BEGIN + 1100).map(({ left, width }) => [Math.round(left), Math.round(width)])).toEqual([
      [0, 27],
      [9, 91],
    ]);
  });

  it('begin anew with a second attempt, whose log stands behind that of the first', () => {
    const events = [
      event('run.taken', 0, { attempt: 1, worker: 'proxy-1' }),
      event('step.started', 1, { step: 'scan' }),
      event('run.taken', 9, { attempt: 2, worker: 'proxy-2' }),
    ];
    const run = events.reduce(foldEvent, EMPTY_RUN);
    expect(run.steps).toEqual([]);
    expect(run.log.map(({ vmId }) => vmId)).toEqual([undefined, undefined, undefined]);
    expect(logText(run.log).split('\n')).toHaveLength(3);
  });
});
