import { Worker } from 'node:worker_threads';
import { readFailure, scanWorkerFailure, shortRead } from './errors.ts';
import type { ReadFault, ReadJob, WorkerOrder, WorkerReport, WorkerSetup } from './scan-protocol.ts';

export interface ScanWorkersOptions {
  readonly path: string;
  readonly program: URL;
  readonly count: number;
  readonly setup: WorkerSetup;
  /** Called once, when a worker is lost; every job under way and to come rejects with the same error. */
  readonly onLost: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly exited: Promise<void>;
  jobs: number;
}

interface PendingJob {
  readonly thread: Thread;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * The threads of one scan. Jobs go to the thread with the fewest; as each has the next ones queued, no thread waits for the main one. A thread starts when
 * a job finds all others busy: a disk that is all hole needs none.
 */
export class ScanWorkers {
  readonly #options: ScanWorkersOptions;
  readonly #threads: Thread[] = [];
  readonly #jobs = new Map<number, PendingJob>();
  #failure: { readonly reason: unknown } | undefined;

  constructor(options: ScanWorkersOptions) {
    this.#options = options;
  }

  /** Resolves when the extent is in its slot, digested. Rejects with CBT_READ_FAILED, CBT_SHORT_READ, or what `fail` was told. */
  read(job: ReadJob): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure.reason);
    const thread = this.#leastBusy();
    thread.jobs++;
    this.#send(thread, job);
    return new Promise((resolve, reject) => this.#jobs.set(job.slot, { thread, resolve, reject }));
  }

  /** Rejects every job under way and to come, and asks the threads to end. */
  fail(reason: unknown): void {
    if (this.#failure) return;
    this.#failure = { reason };
    for (const { reject } of this.#jobs.values()) reject(reason);
    this.#jobs.clear();
    for (const thread of this.#threads) this.#send(thread, 'stop');
  }

  /**
   * Resolves when all threads have ended, at most one extent later: a thread is asked, not torn down in the middle of a system call or native code,
   * so that nobody reads through the descriptor or writes to the memory afterwards.
   */
  async stop(reason: unknown): Promise<void> {
    this.fail(reason);
    await Promise.all(this.#threads.map(({ exited }) => exited));
  }

  #leastBusy(): Thread {
    const idle = this.#threads.find(({ jobs }) => jobs === 0);
    if (idle) return idle;
    if (this.#threads.length < this.#options.count) {
      const started = this.#start();
      this.#threads.push(started);
      return started;
    }
    return this.#threads.reduce((least, each) => (each.jobs < least.jobs ? each : least));
  }

  #send({ worker }: Thread, order: WorkerOrder): void {
    worker.postMessage(order);
  }

  #start(): Thread {
    // Own flags: loaders and conditions of the parent process are not for a built program. A small heap: all bulk data is in shared memory.
    const worker = new Worker(this.#options.program, {
      name: 'onevault-scan',
      workerData: this.#options.setup,
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 },
    });
    const exited = new Promise<void>((resolve) => {
      worker.once('exit', (code) => {
        if (!this.#failure) this.#lose(`a scan thread exited with code ${code}`);
        resolve();
      });
    });
    worker.on('error', (error) => this.#lose('a scan thread failed', error));
    worker.on('messageerror', (error) => this.#lose('a report of a scan thread cannot be read', error));
    worker.on('message', (report: WorkerReport) => this.#settle(report));
    return { worker, exited, jobs: 0 };
  }

  #settle({ slot, fault }: WorkerReport): void {
    const job = this.#jobs.get(slot);
    if (!job) return; // it came too late, after a failure
    this.#jobs.delete(slot);
    job.thread.jobs--;
    if (fault) job.reject(faultError(this.#options.path, fault));
    else job.resolve();
  }

  #lose(reason: string, cause?: unknown): void {
    if (this.#failure) return;
    const error = scanWorkerFailure(this.#options.path, reason, cause);
    this.fail(error);
    this.#options.onLost(error);
  }
}

function faultError(path: string, { offset, length, error }: ReadFault): unknown {
  const range = { offset, length };
  if (!error) return shortRead(path, range);
  const { message, ...facts } = error;
  return readFailure(path, range, Object.assign(new Error(message), facts));
}
