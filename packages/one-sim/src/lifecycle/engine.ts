import type { Cloud } from '../cloud.ts';
import type { Operation } from '../model/world-schema.ts';
import { backupHandler, backupStoreHandler } from './backup.ts';
import { deployHandler } from './deploy.ts';
import { attachHandler, detachHandler } from './hotplug.ts';
import { imageCloneHandler, imageCreateHandler, imageDeleteHandler, imageReadyHandler } from './image-work.ts';
import { DriverFailure, type OperationHandler } from './operation-handler.ts';
import { capacityHandler, resizeHandler } from './resize.ts';
import { saveasHandler } from './saveas.ts';
import { snapshotCreateHandler, snapshotDeleteHandler, snapshotRevertHandler } from './snapshot-work.ts';
import { actionHandler } from './vm-action.ts';

const HANDLERS: Readonly<Record<Operation['kind'], OperationHandler>> = {
  'snapshot-create': snapshotCreateHandler,
  'snapshot-delete': snapshotDeleteHandler,
  'snapshot-revert': snapshotRevertHandler,
  saveas: saveasHandler,
  attach: attachHandler,
  detach: detachHandler,
  resize: resizeHandler,
  capacity: capacityHandler,
  backup: backupHandler,
  'backup-store': backupStoreHandler,
  deploy: deployHandler,
  action: actionHandler,
  'image-create': imageCreateHandler,
  'image-ready': imageReadyHandler,
  'image-delete': imageDeleteHandler,
  'image-clone': imageCloneHandler,
};

/** What a run that is taken up again after a kill may find already done. */
const RERUN_FORCED: ReadonlySet<Operation['kind']> = new Set(['image-delete', 'snapshot-delete', 'detach'] as const);

/** Runs the operations of the world, each on its own; what is under way is in `world.operations` and survives a kill. */
export class Engine {
  readonly #cloud: Cloud;
  readonly #stopping = new AbortController();
  readonly #running = new Map<number, Promise<void>>();
  readonly #unexpected: unknown[] = [];
  #onFinish: (() => void)[] = [];

  constructor(cloud: Cloud) {
    this.#cloud = cloud;
  }

  /** Records the operation; `work` begins before this returns, unless `afterAnswer` defers it to `start`. */
  submit(operation: Omit<Operation, 'id'>): void {
    this.start(this.record(operation));
  }

  record(operation: Omit<Operation, 'id'>): Operation {
    const rule = this.#cloud.faults.takeForDriver(operation);
    const trouble = rule && (rule.stuck ? { stuck: true, failPhase: rule.phase } : { failure: rule.text, failPhase: rule.phase });
    const recorded: Operation = { ...operation, id: this.#cloud.world.nextId('operation'), ...trouble };
    this.#cloud.world.operations.set(recorded.id, recorded);
    return recorded;
  }

  start(operation: Operation): void {
    if (this.#stopping.signal.aborted || this.#running.has(operation.id)) return;
    if (operation.stuck && operation.failPhase === 'before' && !HANDLERS[operation.kind].failsByItself) return; // the driver hangs: nothing happens until one.vm.recover
    const run = this.#run(operation)
      .catch((error: unknown) => void this.#unexpected.push(error)) // the state could not be written: the directory is gone or full
      .finally(() => this.#running.delete(operation.id));
    this.#running.set(operation.id, run);
  }

  /** Forgets an operation: its late answer changes nothing (one.vm.recover). */
  abandon(operationId: number): void {
    this.#cloud.world.operations.delete(operationId);
  }

  /** After a restart: takes up everything that was under way. */
  resume(): void {
    for (const operation of [...this.#cloud.world.operations.values()]) {
      // The instant of a snapshot passed with the old process; its bytes may be incomplete.
      if (operation.kind === 'snapshot-create') operation.failure ??= 'the driver was lost while oned restarted';
      if (RERUN_FORCED.has(operation.kind)) operation.force = true; // its file, or its device, may be gone already
      this.start(operation);
    }
  }

  /** Interrupts everything; what was under way stays recorded. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running.values());
  }

  /** Aborted when the simulator stops. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Resolves when nothing is under way; a step that is held keeps it waiting, a driver that is stuck does not. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  /** Resolves when the next operation ends. */
  nextFinish(): Promise<void> {
    return new Promise((resolve) => this.#onFinish.push(resolve));
  }

  /** Errors of the simulator itself, not of a simulated driver: a test should find none. */
  get unexpected(): readonly unknown[] {
    return this.#unexpected;
  }

  async #run(operation: Operation): Promise<void> {
    const handler = HANDLERS[operation.kind];
    const { signal } = this.#stopping;
    const failure = await this.#attempt(handler, operation, signal);
    if (operation.stuck) return;
    if (signal.aborted || !this.#cloud.world.operations.delete(operation.id)) return;
    const datastore = this.#cloud.world.images.get(operation.image ?? -1)?.datastoreId;
    if (failure === undefined) handler.succeed(this.#cloud, operation);
    else handler.fail(this.#cloud, operation, failure);
    if (datastore !== undefined) this.#cloud.refreshUsage(datastore);
    await this.#cloud.store.commit();
    for (const wake of this.#onFinish.splice(0)) wake();
  }

  async #attempt(handler: OperationHandler, operation: Operation, signal: AbortSignal): Promise<string | undefined> {
    try {
      if (operation.failure === undefined || handler.failsByItself || operation.failPhase === 'after') {
        await handler.work(this.#cloud, operation, signal);
        return handler.failsByItself ? undefined : operation.failure;
      }
      await this.#cloud.pace.pass(handler.step, { signal });
      if (operation.failPhase === 'half') await handler.half?.(this.#cloud, operation, signal);
      return operation.failure;
    } catch (error) {
      if (!(error instanceof DriverFailure) && !signal.aborted) this.#unexpected.push(error);
      return error instanceof Error ? error.message : String(error);
    }
  }
}
