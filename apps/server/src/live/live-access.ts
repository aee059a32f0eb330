import type { Repository, RestorePoint } from '@onevault/backup-format';
import { type CallOptions, errorCode, type Logger, serializeError } from '@onevault/base';
import { type OneApi, type Vm, type VmId, vmId } from '@onevault/one-client';
import { notFound } from '../errors.ts';
import { Bounded } from './bounded.ts';
import type { LiveDeps } from './live-deps.ts';
import { type Held, SharedResource } from './shared-resource.ts';

/** Repositories stay open for the next question: opening one costs a listing and a key derivation. */
const REPOSITORY_IDLE_MS = 5 * 60_000;

const CLOUD = { concurrency: 16, waiting: 64, timeoutMs: 30_000 };
const REPOSITORY = { concurrency: 8, waiting: 32, timeoutMs: 60_000 };

/** The cloud and the repositories, with bounds around each. */
export class LiveAccess implements AsyncDisposable {
  readonly #deps: LiveDeps;
  readonly #cloud: Bounded;
  readonly #repositories: Bounded;
  readonly #open: SharedResource<Repository>;

  constructor(deps: LiveDeps) {
    this.#deps = deps;
    this.#cloud = new Bounded(deps.clock, CLOUD);
    this.#repositories = new Bounded(deps.clock, REPOSITORY);
    this.#open = new SharedResource<Repository>({
      clock: deps.clock,
      idleMs: REPOSITORY_IDLE_MS,
      // The key says where it is, so that a changed setting is another one.
      open: (key, options) => deps.openRepository(nameOf(key), options),
      close: (repository) => closed(repository, deps.logger),
    });
  }

  askCloud<T>(work: (cloud: OneApi, options: Required<CallOptions>) => Promise<T>, options: CallOptions): Promise<T> {
    return this.#cloud.run('cloud', 'OpenNebula', (call) => work(this.#deps.cloud, call), options);
  }

  /** Throws SERVER_NOT_FOUND for a name that is not in the settings. */
  askRepository<T>(name: string, work: (repository: Repository, options: Required<CallOptions>) => Promise<T>, options: CallOptions): Promise<T> {
    const key = this.#keyOf(name);
    return this.#repositories.run(
      name,
      `repository ${name}`,
      async (call) => {
        await using held = await this.#open.use(key, call);
        return await work(held.value, call);
      },
      options,
    );
  }

  /** For longer than one question. Opening it is bounded like a question. */
  holdRepository(name: string, options: CallOptions): Promise<Held<Repository>> {
    const key = this.#keyOf(name);
    const hold = async (call: Required<CallOptions>): Promise<Held<Repository>> => {
      const held = await this.#open.use(key, call);
      // Too late: who asked has gone.
      if (call.signal.aborted) await held[Symbol.asyncDispose]();
      call.signal.throwIfAborted();
      return held;
    };
    return this.#repositories.run(name, `repository ${name}`, hold, options);
  }

  async vm(id: number, options: CallOptions): Promise<Vm> {
    return await this.askCloud((cloud, call) => cloud.vm(vmId(id), call), options).catch((error: unknown) => {
      throw errorCode(error) === 'ONE_NO_EXISTS' ? notFound('VM') : error;
    });
  }

  /** The proxy VM of a worker that was seen last; undefined where there is none. */
  async proxyVm(): Promise<VmId | undefined> {
    const workers = [...(await this.#deps.workers.list())].filter(({ proxyVm }) => proxyVm !== undefined);
    const [newest] = workers.sort((a, b) => b.lastSeenAt.getTime() - a.lastSeenAt.getTime());
    return newest?.proxyVm === undefined ? undefined : vmId(newest.proxyVm.id);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#open[Symbol.asyncDispose]();
  }

  #keyOf(name: string): string {
    const setting = this.#deps.settings.current().repositories.find((one) => one.name === name);
    if (setting === undefined) throw notFound('repository');
    return JSON.stringify([name, setting.place, setting.secretFile ?? null]);
  }
}

function nameOf(key: string): string {
  const [name]: unknown[] = JSON.parse(key);
  return String(name);
}

async function closed(repository: Repository, logger: Logger): Promise<void> {
  try {
    await repository[Symbol.asyncDispose]();
  } catch (error) {
    logger.warn({ repository: repository.location, error: serializeError(error) }, 'not closed in order');
  }
}

/** A unique prefix is for people at a terminal: here it would make one point out of another that is gone. */
export async function exactPoint(repository: Repository, id: string, options: CallOptions): Promise<RestorePoint> {
  const point = await repository.point(id, options).catch((error: unknown) => {
    throw errorCode(error) === 'REPO_POINT_NOT_FOUND' ? notFound('restore point') : error;
  });
  if (point.id !== id) throw notFound('restore point');
  return point;
}
