import { FakeClock } from '@onevault/base/testing';
import type { JobEvent, JobEventBody } from '@onevault/orchestrator';
import { describe, expect, it } from 'vitest';
import { EMPTY_LEDGER, type Ledger, noteEvent, RunLedger } from '../../src/work/run-ledger.ts';

const at = (body: JobEventBody): JobEvent => ({ time: '2026-11-28T00:00:00.000Z', runId: 'w-1', ...body });
const noted = (...bodies: readonly JobEventBody[]): Ledger => bodies.reduce((ledger, body) => noteEvent(ledger, at(body)), EMPTY_LEDGER);
const progress = (doneBytes: number, diskId = 0): JobEventBody => ({ type: 'disk.progress', phase: 'scan', diskId, doneBytes, totalBytes: 100 });

describe('what a run’s row keeps', () => {
  it('steps with how they ended, of each disk by itself', () => {
    const { steps } = noted(
      { type: 'step.started', step: 'scan', diskId: 0 },
      { type: 'step.started', step: 'scan', diskId: 1 },
      { type: 'step.failed', step: 'scan', diskId: 0, durationMs: 5, code: 'ONE_ACTION' },
      { type: 'step.finished', step: 'scan', diskId: 1, durationMs: 7 },
      { type: 'step.started', step: 'commit' },
    );
    expect(steps).toMatchObject([
      { diskId: 0, outcome: 'failed', code: 'ONE_ACTION', durationMs: 5 },
      { diskId: 1, outcome: 'done', durationMs: 7 },
      { step: 'commit', outcome: 'running' },
    ]);
  });

  it('the newest of each disk, warnings and what is left; never more than so much', () => {
    const many = Array.from({ length: 1000 }, (_, n): JobEventBody => ({ type: 'warning', code: `W${n}`, message: 'x'.repeat(5000) }));
    const steps = Array.from({ length: 1000 }, (): JobEventBody => ({ type: 'step.started', step: 'scan' }));
    const ledger = noted(progress(10), progress(60), progress(5, 1), ...many, ...steps, { type: 'run.finished', outcome: 'residue', residue: ['image 7'] });
    expect(ledger.disks).toEqual([
      { diskId: 0, phase: 'scan', doneBytes: 60, totalBytes: 100 },
      { diskId: 1, phase: 'scan', doneBytes: 5, totalBytes: 100 },
    ]);
    expect(ledger.residue).toEqual(['image 7']);
    expect(ledger.warnings.at(-1)?.code).toBe('W999');
    expect(JSON.stringify(ledger).length).toBeLessThan(300_000);
  });
});

describe('what is told on', () => {
  it('is everything but progress, which comes once a second and less often the longer it takes: hours of two disks fit', () => {
    const clock = new FakeClock();
    const told: string[] = [];
    const ledger = new RunLedger({ event: (type) => void told.push(type), progress: () => undefined }, clock);
    for (let second = 0; second < 20_000; second++) {
      clock.advance(1000);
      for (const diskId of [0, 1]) ledger.emit(at(progress(second, diskId)));
      if (second === 9) expect(told).toHaveLength(20);
    }
    ledger.emit(at({ type: 'warning', code: 'W', message: 'w' }));
    expect(told.at(-1)).toBe('warning');
    expect(told.length).toBeLessThan(2500);
  });

  it('is a plan without the body of its VM, which may hold passwords', () => {
    const told: string[] = [];
    const ledger = new RunLedger({ event: (_, data) => void told.push(JSON.stringify(data)), progress: () => undefined }, new FakeClock());
    const disk = { diskId: 0, target: 'vda', sizeMiB: 4, attributes: { CIPHER: 'hidden' } };
    const vm = {
      id: 6,
      name: 'web',
      state: 3,
      lcmState: 3,
      history: [{ vmMad: 'kvm', hostName: 'n1' }],
      xml: '<PASSWORD>hidden</PASSWORD>',
      userTemplate: { P: 'hidden' },
    };
    const plan = { vm, verdict: 'ok', disks: [{ disk, verdict: 'skip', reasons: [] }] };
    ledger.emit(at({ type: 'vm.planned', plan } as unknown as JobEventBody));
    expect(told).toHaveLength(1);
    expect(told[0]).not.toContain('hidden');
    expect(JSON.parse(told[0] ?? '')).toMatchObject({
      plan: { vm: { id: 6, name: 'web', history: [{ vmMad: 'kvm' }] }, disks: [{ disk: { target: 'vda' } }] },
    });
  });
});
