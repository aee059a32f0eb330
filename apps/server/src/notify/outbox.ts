import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { replaceDurably } from '@onevault/orchestrator';
import { z } from 'zod';
import { ServerError } from '../errors.ts';
import { type Entry, entrySchema } from './entry.ts';
import { troubleSchema } from './troubles.ts';

/** Of one channel: every VM of a fleet may be late at once. Beyond that the oldest goes, and is counted: a channel that is dead for long must not fill the disk. */
const MAX_ENTRIES = 6000;
const MAX_SEEN = 1000;

const bookSchema = z.object({
  version: z.literal(1),
  /** Since when there is anything to tell: nothing-ran counts from here at first. */
  beganMs: z.number(),
  troubles: z.record(z.string(), troubleSchema),
  pending: z.record(z.string(), z.array(entrySchema)),
  /** Of runs: those that ended later, and the last that were looked at. After a restart the others are looked at again. */
  runsUntilMs: z.number(),
  runsSeen: z.array(z.string()),
  lastSuccessMs: z.number().optional(),
  /** VMs that a policy wants protected and that have no restore point, since when. */
  withoutPoint: z.record(z.string(), z.number()),
});
export type Book = z.output<typeof bookSchema>;

/**
 * What is to be told and what was, in one file that is written whole and synced before anything counts as noted: a restart loses no notification, and none is
 * told twice because what was told was forgotten. What was being delivered when the power went is delivered again.
 */
export class Outbox {
  readonly #path: string;
  #book: Book;
  #written: Book;
  #writing: Promise<void> | undefined;

  private constructor(path: string, book: Book) {
    this.#path = path;
    this.#book = book;
    this.#written = book;
  }

  /** Throws SERVER_STATE_UNUSABLE when there is a file that is none of ours. */
  static async open(directory: string, nowMs: number): Promise<Outbox> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, 'notifications.json');
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined)
      return new Outbox(path, { version: 1, beganMs: nowMs, troubles: {}, pending: {}, runsUntilMs: nowMs, runsSeen: [], withoutPoint: {} });
    return new Outbox(path, parseBook(path, text));
  }

  get book(): Book {
    return this.#book;
  }

  /** How many entries had to go to make room. In memory until `flush`. */
  change(
    change: Partial<Pick<Book, 'troubles' | 'runsUntilMs' | 'runsSeen' | 'lastSuccessMs' | 'withoutPoint'>> & {
      readonly add?: readonly { readonly channel: string; readonly entry: Entry }[];
    },
  ): ReadonlyMap<string, number> {
    const { add = [], ...rest } = change;
    const lost = new Map<string, number>();
    const pending = { ...this.#book.pending };
    for (const { channel, entry } of add) {
      const entries = [...(pending[channel] ?? []), entry];
      const surplus = Math.max(0, entries.length - MAX_ENTRIES);
      if (surplus > 0) lost.set(channel, (lost.get(channel) ?? 0) + surplus);
      pending[channel] = entries.slice(surplus);
    }
    this.#book = { ...this.#book, ...rest, pending, runsSeen: (rest.runsSeen ?? this.#book.runsSeen).slice(-MAX_SEEN) };
    return lost;
  }

  /** Of a channel, those that were told or given up. */
  take(channel: string, ids: ReadonlySet<string>): void {
    const left = (this.#book.pending[channel] ?? []).filter(({ id }) => !ids.has(id));
    const { [channel]: _, ...others } = this.#book.pending;
    this.#book = { ...this.#book, pending: left.length === 0 ? others : { ...others, [channel]: left } };
  }

  /** Resolves when everything that was changed before is on stable storage. Changes that come together share one write. */
  async flush(): Promise<void> {
    while (this.#written !== this.#book) {
      this.#writing ??= this.#write(this.#book).finally(() => {
        this.#writing = undefined;
      });
      await this.#writing;
    }
  }

  async #write(book: Book): Promise<void> {
    await replaceDurably(dirname(this.#path), this.#path, JSON.stringify(book));
    this.#written = book;
  }
}

function parseBook(path: string, text: string): Book {
  try {
    return bookSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw unusable(path, cause);
  }
}

function unusable(path: string, cause: unknown): ServerError {
  return new ServerError({
    code: 'SERVER_STATE_UNUSABLE',
    message: `the notifications that wait cannot be read: ${path}`,
    hint: 'Move the file away: what waits in it is not told, and what is still wrong is told again',
    cause,
  });
}
