import { FakeClock } from '@onevault/base/testing';
import { expect, test } from 'vitest';
import { jobJsonLines } from '../src/render/job-json.ts';
import { jsonLine } from './support/json-lines-schema.ts';
import { recordedOutput } from './support/recorder.ts';
import { EVERY_EVENT, event, MIB } from './support/sample-events.ts';

function linesOf(text: string): unknown[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

test('every event is one line that keeps its promise', () => {
  const output = recordedOutput({ mode: 'jsonl' });
  using renderer = jobJsonLines(output, new FakeClock());
  for (const one of EVERY_EVENT) renderer.emit(one);
  const lines = linesOf(output.out());
  expect(lines).toHaveLength(EVERY_EVENT.length);
  for (const line of lines) jsonLine.parse(line);
  expect(output.err()).toBe('');
});

test('events go out as they are, all fields', () => {
  const output = recordedOutput({ mode: 'jsonl' });
  using renderer = jobJsonLines(output, new FakeClock());
  const plain = EVERY_EVENT.filter((one) => one.type !== 'vm.planned');
  for (const one of plain) renderer.emit(one);
  expect(linesOf(output.out())).toEqual(plain.map((one) => ({ schemaVersion: 1, ...JSON.parse(JSON.stringify(one)) })));
});

test('the body of the VM, which may hold passwords, stays inside', () => {
  const output = recordedOutput({ mode: 'jsonl' });
  using renderer = jobJsonLines(output, new FakeClock());
  for (const one of EVERY_EVENT) renderer.emit(one);
  expect(output.out()).not.toContain('opensesame');
});

test('progress is thinned out, but the end of a phase always comes', () => {
  const clock = new FakeClock();
  const output = recordedOutput({ mode: 'jsonl' });
  using renderer = jobJsonLines(output, clock);
  for (let done = 1; done <= 100; done++) {
    renderer.emit(event({ type: 'disk.progress', phase: 'scan', diskId: 0, doneBytes: done * MIB, totalBytes: 100 * MIB }));
    clock.advance(20);
  }
  const done = linesOf(output.out()).map((line) => (line as { doneBytes: number }).doneBytes / MIB);
  expect(done).toEqual([1, 26, 51, 76, 100]);
});
