import { randomUUID } from 'node:crypto';
import { type CallOptions, type Clock, type Logger, Mutex, Scope, Semaphore, serializeError } from '@onevault/base';
import { openPointFiles } from '@onevault/composition';
import type { GuestFileSystem, GuestFiles } from '@onevault/guest-files';
import { ServerError } from '../../errors.ts';
import { exactPoint, type LiveAccess } from '../live-access.ts';
import { type Held, SharedResource } from '../shared-resource.ts';

/** A micro-VM takes up to 1.3 GiB (LIBGUESTFS_MEMSIZE). */
const MAX_SESSIONS = 2;
/** Long enough to read what a directory has before one clicks on. */
const IDLE_MS = 3 * 60_000;

export interface FileSession {
  readonly files: GuestFiles;
  /** Looked for once: the disks do not change. */
  fileSystems(): Promise<readonly GuestFileSystem[]>;
  /** What paths are of is a state of the session: who uses it is alone. */
  readonly turn: Semaphore;
}

export interface PointName {
  readonly repository: string;
  readonly pointId: string;
}

export interface FileSessionsDeps {
  readonly access: LiveAccess;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** For tests: what opens a session; default: a micro-VM on the point's disks. */
  readonly open?: (point: PointName, options: CallOptions) => Promise<FileSession & AsyncDisposable>;
}

type Owned = FileSession & AsyncDisposable;

/**
 * Micro-VMs that read files of restore points, one for each point that somebody looks into, kept for a while with a read lease; at most two, and the one that was not used
 * for longest makes room. One that streams a file is left to that stream: who looks around meanwhile gets another one.
 */
export class FileSessions implements AsyncDisposable {
  readonly #open: SharedResource<Owned>;
  readonly #streaming = new Set<string>();
  readonly #choosing = new Mutex();

  constructor(deps: FileSessionsDeps) {
    const open = deps.open ?? ((point: PointName, options: CallOptions) => openSession(deps, point, options));
    this.#open = new SharedResource<Owned>({
      clock: deps.clock,
      idleMs: IDLE_MS,
      open: (key, options) => open(pointOf(key), options),
      close: async (session) => {
        try {
          await session[Symbol.asyncDispose]();
        } catch (error) {
          deps.logger.warn({ error: serializeError(error) }, 'a micro-VM did not end in order');
        }
      },
    });
  }

  /** Throws SERVER_BUSY when all are in use. */
  async use(point: PointName, options: CallOptions): Promise<Held<FileSession>> {
    const { opening } = await this.#choose(point, options, () => undefined);
    return await opening;
  }

  /** For as long as a file or an archive is read out: nobody else gets the same one. */
  async useAlone(point: PointName, options: CallOptions): Promise<Held<FileSession>> {
    const { key, opening } = await this.#choose(point, options, (chosen) => void this.#streaming.add(chosen));
    try {
      const held = await opening;
      const giveBack = async (): Promise<void> => {
        this.#streaming.delete(key);
        await held[Symbol.asyncDispose]();
      };
      return { value: held.value, broken: () => held.broken(), [Symbol.asyncDispose]: giveBack };
    } catch (error) {
      this.#streaming.delete(key);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open[Symbol.asyncDispose]();
  }

  /** One at a time, so that no two take the last place. What is chosen is in use when the next one chooses. */
  #choose(point: PointName, options: CallOptions, mark: (key: string) => void) {
    return this.#choosing.run(async () => {
      const key = await this.#keyFor(point);
      mark(key);
      const opening = this.#open.use(key, options);
      opening.catch(() => undefined); // whoever chose waits for it in a moment
      return { key, opening };
    }, options);
  }

  async #keyFor({ repository, pointId }: PointName): Promise<string> {
    for (let n = 0; n < MAX_SESSIONS; n++) {
      const key = JSON.stringify([repository, pointId, n]);
      if (this.#streaming.has(key)) continue;
      if (this.#open.has(key) || this.#open.size < MAX_SESSIONS || (await this.#open.closeIdle())) return key;
    }
    throw new ServerError({
      code: 'SERVER_BUSY',
      message: `files of ${MAX_SESSIONS} restore points are being read already`,
      hint: 'wait until a download is over, or for three minutes after the last look at another restore point',
      retryable: true,
    });
  }
}

function pointOf(key: string): PointName {
  const [repository, pointId]: unknown[] = JSON.parse(key);
  return { repository: String(repository), pointId: String(pointId) };
}

async function openSession({ access, clock, logger, environment }: FileSessionsDeps, { repository, pointId }: PointName, options: CallOptions): Promise<Owned> {
  const log = logger.child({ repository, pointId, filesSession: randomUUID() });
  await using scope = new Scope();
  const held = scope.use(await access.holdRepository(repository, options));
  const point = await exactPoint(held.value, pointId, options);
  const warn = (text: string): void => log.warn({}, text);
  const { files } = scope.use(await openPointFiles({ repository: held.value, clock, logger: log, warn, environment }, { point }, options));
  let known: Promise<readonly GuestFileSystem[]> | undefined;
  const owned = scope.move();
  return {
    files,
    turn: new Semaphore(1),
    fileSystems: () => {
      known ??= files.fileSystems();
      return known;
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}
