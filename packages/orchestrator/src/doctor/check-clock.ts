import type { Clock } from '@onevault/base';
import { type Checked, ok, trouble } from './finding.ts';

/** The front-end's clock, as the newest of its answers had it (the HTTP header Date), with our own of the same moment; undefined when none had one. */
export type FrontEndTime = () => { readonly theirs: Date; readonly ours: Date } | undefined;

const WARN_MS = 30_000;
const PROBLEM_MS = 15 * 60_000;

/** Restore points carry this machine's time and OpenNebula's own: retention and people compare them. Nothing that protects data depends on it. */
export async function* checkClock(frontEndTime: FrontEndTime, clock: Clock): Checked {
  const pair = frontEndTime();
  const subject = 'clocks of proxy and front-end';
  if (pair === undefined) {
    yield trouble(
      'clock',
      'unknown',
      'CLOCK_UNKNOWN',
      subject,
      'the front-end does not say what time it is',
      `compare by hand: it is ${clock.now().toISOString()} here`,
    );
    return;
  }
  const offMs = Math.abs(pair.theirs.getTime() - pair.ours.getTime());
  if (offMs < WARN_MS) {
    yield ok('clock', 'CLOCK_AGREES', subject, 'they agree within half a minute');
    return;
  }
  const verdict = offMs < PROBLEM_MS ? 'warning' : 'problem';
  const text = `they are ${Math.round(offMs / 1000)} s apart: ${pair.ours.toISOString()} here, ${pair.theirs.toISOString()} there`;
  yield trouble(
    'clock',
    verdict,
    'CLOCK_OFF',
    subject,
    text,
    'let NTP set both (timedatectl, chronyc tracking): times of restore points decide what retention keeps',
  );
}
