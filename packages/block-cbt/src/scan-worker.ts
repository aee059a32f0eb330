import { setImmediate } from 'node:timers/promises';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { revealedDigestFunction } from './digest.ts';
import { readRange } from './read-range.ts';
import { digestStart, type ReadFault, type ReadJob, slotStart, type WorkerOrder, type WorkerReport, type WorkerSetup } from './scan-protocol.ts';
import { isZero } from './zero.ts';

/** As in @onevault/base, which a thread need not load for it. */
const DIGEST_BYTES = 32;

/** The program of a scan thread: reads extents into shared memory and leaves the digests of their blocks beside them. */
function serve(port: MessagePort, setup: WorkerSetup): void {
  const memory = Buffer.from(setup.memory);
  const digest = revealedDigestFunction(setup.digest);
  const jobs: ReadJob[] = [];
  let busy = false;

  port.on('message', (order: WorkerOrder) => {
    if (order === 'stop') {
      jobs.length = 0;
      port.close(); // nothing else keeps the thread alive
      return;
    }
    jobs.push(order);
    if (!busy) void work();
  });

  async function work(): Promise<void> {
    busy = true;
    for (let job = jobs.shift(); job; job = jobs.shift()) {
      const start = slotStart(setup.layout, job.slot);
      const fault = readRange(setup, memory, start, job);
      if (!fault) digestBlocks(start, job);
      report(job, fault);
      // Digests are freed by finalizers, which the event loop runs: without a turn of it their memory only grows. It also lets 'stop' in.
      await setImmediate();
    }
    busy = false;
  }

  function digestBlocks(start: number, job: ReadJob): void {
    const end = start + job.length;
    let out = digestStart(setup.layout, job.slot);
    for (let at = start; at < end; at += setup.blockSizeBytes, out += DIGEST_BYTES) {
      const blockEnd = Math.min(at + setup.blockSizeBytes, end);
      if (isZero(memory, at, blockEnd)) memory.fill(0, out, out + DIGEST_BYTES);
      else memory.set(digest(memory.subarray(at, blockEnd)), out);
    }
  }

  function report(job: ReadJob, fault: ReadFault | undefined): void {
    const message: WorkerReport = fault ? { slot: job.slot, fault } : { slot: job.slot };
    port.postMessage(message);
  }
}

if (parentPort) serve(parentPort, workerData);
