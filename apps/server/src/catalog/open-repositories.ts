import type { Repository } from '@onevault/backup-format';
import type { CallOptions, Clock } from '@onevault/base';
import { SharedResource } from '../live/shared-resource.ts';
import type { RepositorySetting } from '../ports/settings-store.ts';

export interface OpenRepositoriesDeps {
  /** Opens a repository of the settings; whoever asked closes it. */
  readonly openRepository: (name: string, options: CallOptions) => Promise<Repository>;
  readonly clock: Clock;
}

/** Longer than from one look at the repositories to the next: unlocking one costs a key derivation. */
const IDLE_MS = 10 * 60_000;

/** Repositories that stay open between two looks. One whose setting has changed, or that failed, is opened anew. */
export class OpenRepositories implements AsyncDisposable {
  readonly #shared: SharedResource<Repository>;

  constructor({ openRepository, clock }: OpenRepositoriesDeps) {
    this.#shared = new SharedResource<Repository>({
      clock,
      idleMs: IDLE_MS,
      // The key says where it is, so that a changed setting is another one.
      open: (key, options) => openRepository(String(JSON.parse(key)[0]), options),
      close: closed,
    });
  }

  async use<T>({ name, place, secretFile }: RepositorySetting, work: (repository: Repository) => Promise<T>, options: CallOptions = {}): Promise<T> {
    await using held = await this.#shared.use(JSON.stringify([name, place, secretFile ?? null]), options);
    try {
      return await work(held.value);
    } catch (error) {
      held.broken();
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#shared[Symbol.asyncDispose]();
  }
}

async function closed(repository: Repository): Promise<void> {
  try {
    await repository[Symbol.asyncDispose]();
  } catch {
    // Its place may be gone: there is nothing left to give back.
  }
}
