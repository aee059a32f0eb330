import { FakeClock } from '@onevault/base/testing';
import { describe, expect, test } from 'vitest';
import { diskStandings, standingText } from '../src/render/disk-progress.ts';
import { jobText } from '../src/render/job-text.ts';
import { backupFailedLine, backupLine } from '../src/render/summary-line.ts';
import { recordedOutput } from './support/recorder.ts';
import { backupReport, EVERY_EVENT, event, MIB, plan } from './support/sample-events.ts';

describe('events as text', () => {
  test('tell the story of a run on stderr and leave stdout to results', () => {
    const output = recordedOutput();
    using renderer = jobText(output, new FakeClock());
    for (const one of EVERY_EVENT) renderer.emit(one);
    expect(output.out()).toBe('');
    expect(output.err().split('\n')).toEqual([
      'VM 6 web is HOTPLUG: waiting until nobody is at work on it, for at most 15 min 00 s',
      'VM 6 web: backup, run run-1',
      '  disk 0 vda 256.0 MiB: snapshot, crash-consistent; the guest stands still for a moment: taken in seconds and removed without a trace (CAPTURE_SNAPSHOT_CLEAN)',
      '  disk 2 vdc 64.0 MiB: skipped: volatile: it has no image (SKIP_VOLATILE)',
      '  disk 0 snapshot taken, 1.3 s',
      '  disk 0 incremental: only what differs from the last restore point is stored (PARENT_TRUSTED)',
      '  disk 0 read 256.0 MiB in 800 ms: 12 blocks changed, 3.0 MiB stored',
      '  taken back: image onevault-run-1 (id 9), 300 ms',
      'warning: image onevault-run-1 (id 9) could not be taken back: one.image.delete: no',
      'warning: network 3: not authorized (METADATA_NOT_PERMITTED)',
      'VM 6 web: revert to a snapshot, run run-1',
      'warning: disk 0, snapshot 3: reverted',
      '',
    ]);
  });

  test('--quiet keeps what somebody must act on', () => {
    const output = recordedOutput({ quiet: true, progress: false });
    using renderer = jobText(output, new FakeClock());
    for (const one of EVERY_EVENT) renderer.emit(one);
    expect(output.err().trim().split('\n')).toEqual([
      'warning: image onevault-run-1 (id 9) could not be taken back: one.image.delete: no',
      'warning: network 3: not authorized (METADATA_NOT_PERMITTED)',
      'warning: disk 0, snapshot 3: reverted',
    ]);
  });

  test('without a terminal, progress is a line a disk every ten seconds', () => {
    const clock = new FakeClock();
    const output = recordedOutput();
    using renderer = jobText(output, clock);
    for (let second = 0; second <= 25; second++) {
      renderer.emit(event({ type: 'disk.progress', phase: 'scan', diskId: 0, doneBytes: second * 10 * MIB, totalBytes: 256 * MIB }));
      clock.advance(1000);
    }
    expect(output.err().trim().split('\n')).toEqual([
      expect.stringMatching(/^disk 0 scan +39 % {2}10\.0 MiB\/s {2}ETA 15\.6 s$/),
      expect.stringMatching(/^ {2}disk 0 scan +78 % {2}10\.0 MiB\/s {2}ETA 5\.6 s$/),
    ]);
  });

  test('on a terminal there are bars, and the cursor is back when they are gone', () => {
    const clock = new FakeClock();
    const output = recordedOutput({ isTTY: true, columns: 100 });
    using renderer = jobText(output, clock);
    renderer.emit(event({ type: 'disk.progress', phase: 'scan', diskId: 0, doneBytes: 64 * MIB, totalBytes: 256 * MIB }));
    renderer.emit(event({ type: 'disk.progress', phase: 'scan', diskId: 1, doneBytes: 0, totalBytes: 256 * MIB }));
    renderer.emit(event({ type: 'disk.mode', diskId: 1, mode: 'full', reason: 'NO_PARENT' }));
    renderer.emit(event({ type: 'step.finished', step: 'scan', diskId: 1, durationMs: 10 }));
    renderer.emit(event({ type: 'step.finished', step: 'scan', diskId: 0, durationMs: 10 }));
    expect(output.err()).toContain('  disk 1 full: there is no earlier restore point (NO_PARENT)\n');
    expect(output.err()).toContain('\u001b[1G  disk 0 scan   ██████░░');
    expect(output.err().lastIndexOf('\u001b[?25h')).toBeGreaterThan(output.err().lastIndexOf('\u001b[?25l'));
  });
});

test('the rate is of the last seconds, not of the whole run', () => {
  const clock = new FakeClock();
  const standing = diskStandings(clock);
  const at = (doneBytes: number) => standing({ time: '', runId: '', type: 'disk.progress', phase: 'scan', diskId: 0, doneBytes, totalBytes: 1000 * MIB });
  expect(at(0).bytesPerSecond).toBeUndefined();
  for (let second = 1; second <= 20; second++) {
    clock.advance(1000);
    at(second * MIB);
  }
  let last = at(20 * MIB);
  for (let second = 1; second <= 20; second++) {
    clock.advance(1000);
    last = at(20 * MIB + second * 40 * MIB);
  }
  expect(last.bytesPerSecond).toBeCloseTo(40 * MIB, -3);
  expect(standingText(last)).toMatch(/ETA 4\.\d s$/);
});

test('what a run leaves in the cloud is said however it ends, also when it fails', () => {
  const output = recordedOutput({ quiet: true });
  using renderer = jobText(output, new FakeClock());
  renderer.emit(event({ type: 'run.finished', outcome: 'failed', residue: ['image onevault-run-1 (id 9)'] }));
  expect(output.err()).toBe('warning: left in OpenNebula: image onevault-run-1 (id 9)\n');
});

describe('the summary line', () => {
  test('is name=value fields without blanks, in a fixed order', () => {
    expect(backupLine(backupReport, MIB)).toBe(
      'backup vm=6 name=web result=ok point=20261122t184334-k3f9ab mode=incremental read=256.0MiB changed=12.0MiB stored=3.0MiB duration=12.3s',
    );
  });

  test('says residue and failure', () => {
    expect(backupLine({ ...backupReport, residue: ['image x'] }, MIB)).toContain(' result=residue ');
    expect(backupFailedLine(6, 'ONE_ACTION')).toBe('backup vm=6 result=failed code=ONE_ACTION');
  });

  test('a name that would break the fields is quoted', () => {
    expect(backupLine({ ...backupReport, vmName: 'my "web"\nresult=ok' }, MIB)).toContain(' name="my \\"web\\"\\nresult=ok" ');
  });
});

test('the plan of an event carries no VM body into the text', () => {
  const output = recordedOutput();
  using renderer = jobText(output, new FakeClock());
  renderer.emit(event({ type: 'vm.planned', plan }));
  expect(output.err()).not.toContain('opensesame');
});
