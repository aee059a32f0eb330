import type { Clock } from '@onevault/base';
import { jobJsonLines } from './job-json.ts';
import { type JobRenderer, jobText } from './job-text.ts';
import type { Output } from './output.ts';

/** Events of a run in the form that was asked for: bars and lines, JSON lines, or nothing while a single document is awaited. */
export function jobRenderer(output: Output, clock: Clock): JobRenderer {
  switch (output.mode) {
    case 'text':
      return jobText(output, clock);
    case 'jsonl':
      return jobJsonLines(output, clock);
    case 'json':
      return { emit: () => undefined, [Symbol.dispose]: () => undefined };
  }
}
