import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';

// As the product's own launcher does (apps/cli/bin/onevault.js).
setFlagsFromString('--heap-growing-percent=300');

const RESOLUTION_MS = 5;

/**
 * The frame of a program in `ours/`: runs one piece of work on the JSON from stdin and prints, as JSON, what the work says of itself together with
 * its seconds, the peak memory of the process with all its threads, and the delay of the event loop. Each runs in a fresh process.
 */
export async function measureSelf(work) {
  const task = JSON.parse(readFileSync(0, 'utf8'));
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const started = performance.now();
  const facts = await work(task);
  const seconds = (performance.now() - started) / 1000;
  delay.disable();
  const { user, system } = process.cpuUsage();
  const processorSeconds = (user + system) / 1e6;
  const result = {
    seconds,
    processorSeconds,
    peakBytes: residentPeak(),
    loopDelayP99Ms: delayMs(delay.percentile(99)),
    loopDelayMaxMs: delayMs(delay.max),
    ...facts,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

/** The histogram holds the timer's own interval besides the delay. */
function delayMs(nanoseconds) {
  return Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
}

function residentPeak() {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
}

/** `await using` for a Node that has no such syntax: gives `resource` back also when the work fails. */
export async function using(resource, work) {
  try {
    return await work(resource);
  } finally {
    await resource[Symbol.asyncDispose]();
  }
}
