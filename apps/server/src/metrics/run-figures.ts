import type { RunRecord } from '@onevault/run-queue';
import { Counter, Histogram, type Registry } from 'prom-client';
import { z } from 'zod';
import { whoseSlot } from '../scheduler/timetable.ts';
import { codeLabels, labelText } from './label-text.ts';
import { MAX_VM_SERIES, type VmSeries, vmLabels } from './vm-series.ts';

/** What the report of a backup says of bytes; of a later version, what is understood of it. */
const backupReport = z.object({
  durationMs: z.number().optional(),
  stats: z.object({ storedBytes: z.number() }).optional(),
  disks: z.array(z.object({ readBytes: z.number() })).optional(),
});

interface LastRun {
  readonly vmName: string;
  readonly durationMs: number;
  readonly readBytes: number;
  readonly storedBytes: number;
}

/** From a second to a day. */
const SECONDS = [1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600];

/** What is counted as runs end. Counters begin with this process, as counters may; the last run of each VM is read again from the queue at the start. */
export class RunFigures {
  readonly #runs;
  readonly #failures;
  readonly #duration;
  readonly #wait;
  readonly #read;
  readonly #stored;
  readonly #lastOfVm = new Map<number, LastRun>();
  readonly #code = codeLabels();

  constructor(registry: Registry) {
    const registers = [registry];
    this.#runs = new Counter({ name: 'onevault_runs_total', help: 'Runs that ended', labelNames: ['kind', 'outcome', 'policy', 'repository'], registers });
    this.#failures = new Counter({ name: 'onevault_run_failures_total', help: 'Runs that failed, by code', labelNames: ['kind', 'code'], registers });
    this.#duration = new Histogram({
      name: 'onevault_run_duration_seconds',
      help: 'From the begin of a run to its end',
      labelNames: ['kind'],
      buckets: SECONDS,
      registers,
    });
    this.#wait = new Histogram({
      name: 'onevault_run_wait_seconds',
      help: 'From when a run was queued to its begin',
      labelNames: ['kind'],
      buckets: SECONDS,
      registers,
    });
    this.#read = new Counter({ name: 'onevault_backup_read_bytes_total', help: 'Read from disks by backups', labelNames: ['policy'], registers });
    this.#stored = new Counter({ name: 'onevault_backup_stored_bytes_total', help: 'New in repositories by backups', labelNames: ['policy'], registers });
  }

  count(run: RunRecord): void {
    const kind = labelText(run.kind);
    const { policy = '', repository = '' } = whoseSlot(run.schedule?.policy);
    this.#runs.inc({ kind, outcome: run.state, policy, repository });
    if (run.state === 'failed') this.#failures.inc({ kind, code: this.#code(run.failure?.['code']) });
    if (run.startedAt !== undefined) {
      this.#wait.observe({ kind }, secondsBetween(run.queuedAt, run.startedAt));
      if (run.endedAt !== undefined) this.#duration.observe({ kind }, secondsBetween(run.startedAt, run.endedAt));
    }
    const last = this.remember(run);
    if (last === undefined) return;
    this.#read.inc({ policy }, last.readBytes);
    this.#stored.inc({ policy }, last.storedBytes);
  }

  /** Of a run that ended before this process began: for the figures of the VM's last one alone. An older one than is known changes nothing when it comes later in the list. */
  remember(run: RunRecord): LastRun | undefined {
    if (run.kind !== 'backup' || run.vmId === undefined || !(run.state === 'succeeded' || run.state === 'degraded')) return undefined;
    const report = backupReport.safeParse(run.report).data;
    const last = {
      vmName: run.vmName ?? '',
      durationMs: report?.durationMs ?? 1000 * secondsBetween(run.startedAt ?? run.queuedAt, run.endedAt ?? run.queuedAt),
      readBytes: sum(report?.disks?.map(({ readBytes }) => readBytes) ?? []),
      storedBytes: Math.max(0, report?.stats?.storedBytes ?? 0),
    };
    this.#lastOfVm.set(run.vmId, last);
    return last;
  }

  /** Only VMs that still are: those that went leave no series behind. */
  setLast(exists: (vmId: number) => boolean, series: VmSeries): void {
    const duration = series.declare('onevault_vm_last_backup_duration_seconds', 'How long the last good backup took');
    const read = series.declare('onevault_vm_last_backup_read_bytes', 'What the last good backup read');
    const stored = series.declare('onevault_vm_last_backup_stored_bytes', 'What the last good backup brought new');
    let count = 0;
    for (const [vmId, { vmName, durationMs, readBytes, storedBytes }] of this.#lastOfVm) {
      if (!exists(vmId)) this.#lastOfVm.delete(vmId);
      else if (++count <= MAX_VM_SERIES) {
        const vm = vmLabels(vmId, vmName);
        duration(vm, durationMs / 1000);
        read(vm, readBytes);
        stored(vm, storedBytes);
      }
    }
  }
}

function secondsBetween(from: Date, to: Date): number {
  return Math.max(0, to.getTime() - from.getTime()) / 1000;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + Math.max(0, value), 0);
}
