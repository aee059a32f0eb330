import type { Answer, RunRequest, StreamEvent } from '@onevault/api';
import { GIB } from './fake-cloud.ts';

type Run = Answer<'getRun'>;
type Listener = (event: StreamEvent) => void;

const DISKS = [
  { diskId: 0, totalBytes: 20 * GIB },
  { diskId: 1, totalBytes: 60 * GIB },
];
/** So many ticks a run takes. */
const TICKS = 12;

interface Held {
  run: Run;
  readonly events: StreamEvent[];
  ticks: number;
}

/** Runs that go on with each tick, and tell it as workers do. */
export class FakeRuns {
  readonly #runs = new Map<string, Held>();
  readonly #listeners = new Set<Listener>();
  readonly #now: () => number;
  #lastEvent = 0;
  #lastRun = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  list(): Run[] {
    return [...this.#runs.values()].map(({ run }) => run).sort((a, b) => b.queuedAt.localeCompare(a.queuedAt) || b.id.localeCompare(a.id));
  }

  get(id: string): Run | undefined {
    return this.#runs.get(id)?.run;
  }

  eventsOf(id: string): readonly StreamEvent[] {
    return this.#runs.get(id)?.events ?? [];
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** One that was over before anybody looked. */
  add(run: Run): void {
    this.#runs.set(run.id, { run, events: [], ticks: TICKS + 1 });
  }

  start(request: RunRequest, user: string, vmName: string | undefined): string {
    this.#lastRun += 1;
    const id = `r-${String(this.#lastRun).padStart(4, '0')}`;
    const run: Run = {
      id,
      request,
      state: 'queued',
      origin: { kind: 'user', name: user },
      ...(vmName !== undefined && { vmName }),
      queuedAt: this.#time(),
      attempt: 1,
      waitsFor: { code: 'CAP_TOTAL', text: 'as many runs as allowed are under way' },
      progress: [],
      warnings: [],
      residue: [],
      steps: [],
    };
    this.#runs.set(id, { run, events: [], ticks: 0 });
    this.#tell(id, 'run.queued', {});
    return id;
  }

  cancel(id: string): void {
    const held = this.#runs.get(id);
    if (held === undefined || (held.run.state !== 'queued' && held.run.state !== 'running')) return;
    this.#end(held, 'cancelled', { outcome: 'cancelled', residue: [] });
  }

  /** Everything that runs takes a step. */
  tick(): void {
    for (const held of this.#runs.values()) {
      if (held.run.state !== 'queued' && held.run.state !== 'running') continue;
      held.ticks += 1;
      if (held.run.state === 'queued') this.#begin(held);
      else if (held.ticks > TICKS) this.#finish(held);
      else this.#advance(held);
    }
  }

  #begin(held: Held): void {
    const { waitsFor: _, ...run } = held.run;
    held.run = {
      ...run,
      state: 'running',
      startedAt: this.#time(),
      worker: 'proxy-1',
      progress: DISKS.map((disk) => ({ ...disk, phase: 'scan', doneBytes: 0 })),
    };
    const vmId = 'vmId' in run.request ? run.request.vmId : undefined;
    this.#tell(run.id, 'run.taken', { attempt: 1, worker: 'proxy-1' });
    this.#tell(run.id, 'run.started', { kind: run.request.kind, vmId, vmName: run.vmName });
    this.#tell(run.id, 'step.started', { step: 'snapshot', diskId: 0, object: 'onevault-r1-0' });
    this.#tell(run.id, 'step.finished', { step: 'snapshot', diskId: 0, object: 'onevault-r1-0', durationMs: 1200 });
    this.#tell(run.id, 'disk.mode', { diskId: 0, mode: 'incremental', reason: 'PARENT_TRUSTED' });
    this.#tell(run.id, 'disk.mode', { diskId: 1, mode: 'full', reason: 'NO_PARENT' });
    for (const { diskId } of DISKS) this.#tell(run.id, 'step.started', { step: 'scan', diskId });
  }

  #advance(held: Held): void {
    const share = (held.ticks - 1) / (TICKS - 1);
    const progress = DISKS.map(({ diskId, totalBytes }) => ({ diskId, phase: 'scan', doneBytes: Math.round(totalBytes * share), totalBytes }));
    held.run = { ...held.run, progress };
    for (const disk of progress)
      this.#tell(held.run.id, 'disk.progress', { ...disk, changedBytes: Math.round(disk.doneBytes / 40), storedBytes: Math.round(disk.doneBytes / 90) });
  }

  #finish(held: Held): void {
    const { id } = held.run;
    for (const { diskId } of DISKS) this.#tell(id, 'step.finished', { step: 'scan', diskId, durationMs: 9000 });
    if (held.run.request.kind === 'backup') this.#tell(id, 'restore-point.committed', { pointId: `new-${id}` });
    this.#end(held, 'succeeded', { outcome: 'complete', residue: [] });
  }

  #end(held: Held, state: Run['state'], data: Record<string, unknown>): void {
    held.run = { ...held.run, state, endedAt: this.#time() };
    this.#tell(held.run.id, 'run.finished', data);
  }

  #tell(runId: string, type: string, data: Record<string, unknown>): void {
    this.#lastEvent += 1;
    const known = Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined));
    const event: StreamEvent = { id: String(this.#lastEvent), time: this.#time(), runId, type, data: known };
    this.#runs.get(runId)?.events.push(event);
    for (const listener of this.#listeners) listener(event);
  }

  #time(): string {
    return new Date(this.#now()).toISOString();
  }
}
