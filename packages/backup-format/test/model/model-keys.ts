import {
  isRepositoryError,
  keyFileSecret,
  type ObjectStore,
  openRepository,
  type Repository,
  type RepositoryDeps,
  type RepositorySecret,
} from '../../src/index.ts';
import { Violation } from './truth.ts';

/**
 * The secrets that may open one encrypted repository of the model. While they are changed, and when a process dies over that, nobody knows which of two it
 * is; one of them always is.
 */
export class ModelKeys {
  readonly #random: { bytes(length: number): Uint8Array };
  readonly #retired: RepositorySecret[] = [];
  #secrets: RepositorySecret[];

  constructor(random: { bytes(length: number): Uint8Array }) {
    this.#random = random;
    this.#secrets = [this.make()];
  }

  get first(): RepositorySecret {
    return this.#secrets[0] ?? this.make();
  }

  make(): RepositorySecret {
    return keyFileSecret(this.#random.bytes(64));
  }

  /** May open the repository from now on. */
  mayOpen(secret: RepositorySecret): void {
    this.#secrets.push(secret);
  }

  /** Somebody was told that it opens the repository no more. */
  retired(secret: RepositorySecret): void {
    this.#secrets = this.#secrets.filter((known) => known !== secret);
    this.#retired.push(secret);
  }

  /** With the newest that fits; `used` hears which one that is. Which one fits may change meanwhile: all are tried again. */
  async open(store: ObjectStore, deps: RepositoryDeps, used: (secret: RepositorySecret) => void = () => undefined): Promise<Repository> {
    for (let round = 0; round < 4; round++) {
      for (const secret of [...this.#secrets].reverse()) {
        try {
          const repository = await openRepository(store, { ...deps, secret });
          used(secret);
          return repository;
        } catch (error) {
          if (!isRepositoryError(error, 'REPO_KEY_REJECTED')) throw error;
        }
      }
    }
    throw new Violation(`none of ${this.#secrets.length} secrets opens the repository`);
  }

  /** When nobody works: exactly those that open it are known from here on. */
  async settle(store: ObjectStore, deps: RepositoryDeps): Promise<void> {
    const fitting: RepositorySecret[] = [];
    for (const secret of this.#secrets) if (await opens(store, deps, secret)) fitting.push(secret);
    if (fitting.length === 0) throw new Violation('no secret opens the repository any more');
    this.#secrets = fitting;
    for (const secret of this.#retired.splice(0))
      if (await opens(store, deps, secret)) throw new Violation('a secret that was replaced still opens the repository');
  }
}

async function opens(store: ObjectStore, deps: RepositoryDeps, secret: RepositorySecret): Promise<boolean> {
  try {
    await openRepository(store, { ...deps, secret });
    return true;
  } catch (error) {
    if (!isRepositoryError(error, 'REPO_KEY_REJECTED')) throw error;
    return false;
  }
}

/** Whoever works in a repository of the model, encrypted or not. */
export function openSide(
  side: { readonly keys: ModelKeys | undefined },
  store: ObjectStore,
  deps: RepositoryDeps,
  used?: (secret: RepositorySecret) => void,
): Promise<Repository> {
  return side.keys ? side.keys.open(store, deps, used) : openRepository(store, deps);
}
