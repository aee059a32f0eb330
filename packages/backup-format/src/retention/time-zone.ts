import { RepositoryError } from '../errors.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** No zone of tzdata changed its offset before (the first left local mean time on the last day of 1834), and Intl's years need no era after it. */
const FIRST_CHANGE_MS = Date.UTC(1800, 0, 1);
/** Two changes of one zone are never so close (checked for all of tzdata: the shortest span is a little less than four days, in Freetown in 1939). */
const STEP_MS = 3 * DAY_MS;
/** Bounds the memory of a zone to a few MiB; a history of ten years has 1200 steps. */
const MAX_CACHED_STEPS = 65_536;

const zones = new Map<string, TimeZone>();

/** An IANA time zone as Node's own tzdata has it. Instants and wall clock times are milliseconds; a wall clock is counted as if it showed UTC. */
export class TimeZone {
  readonly #format: Intl.DateTimeFormat;
  readonly #steps = new Map<number, number>();
  /** Of the few steps in which the offset changes: when. */
  readonly #changes = new Map<number, number>();

  private constructor(format: Intl.DateTimeFormat) {
    this.#format = format;
  }

  /** Zones are made once: a formatter costs more than all that is asked of it. Throws REPO_TIMEZONE_UNKNOWN. */
  static of(name: string): TimeZone {
    const known = zones.get(name);
    if (known) return known;
    const zone = new TimeZone(wallClockFormat(name));
    zones.set(name, zone);
    return zone;
  }

  /** What the wall clock is ahead of UTC at an instant, exact to the second. */
  offsetAt(atMs: number): number {
    const start = Math.floor(atMs / STEP_MS) * STEP_MS;
    const before = this.#offsetAtStep(start);
    const after = this.#offsetAtStep(start + STEP_MS);
    // Equal ends mean no change between them.
    return before === after || atMs < this.#changeIn(start, after) ? before : after;
  }

  /**
   * What the wall clock shows, or, where it is about to go back, the least it will still show. A later instant never gives less, which the wall clock itself
   * does not promise.
   */
  risingWallClockAt(atMs: number): number {
    const offset = this.offsetAt(atMs);
    const nextDay = atMs + 25 * HOUR_MS;
    const next = this.offsetAt(nextDay);
    return next < offset ? Math.min(atMs + offset, this.#changeBetween(atMs, nextDay) + next) : atMs + offset;
  }

  /** The first instant at which the wall clock shows `wallMs` or more: the earlier one of an hour that comes twice, the jump for one that is skipped. */
  firstInstantAt(wallMs: number): number {
    // Offsets lie between -16 and +16 hours, so these two instants are surely before and after.
    const before = this.offsetAt(wallMs - 1.5 * DAY_MS);
    const after = this.offsetAt(wallMs + 1.5 * DAY_MS);
    if (this.offsetAt(wallMs - before) === before) return wallMs - before;
    if (this.offsetAt(wallMs - after) === after) return wallMs - after;
    return this.#changeBetween(wallMs - after, wallMs - before);
  }

  /** The first instant of the offset that rules at `late`; `early` has another one. */
  #changeBetween(early: number, late: number): number {
    const offset = this.offsetAt(late);
    let [low, high] = [early, late];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.offsetAt(middle) === offset) high = middle;
      else low = middle;
    }
    return high;
  }

  #changeIn(start: number, after: number): number {
    const known = this.#changes.get(start);
    if (known !== undefined) return known;
    let [low, high] = [start, start + STEP_MS];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#measure(middle) === after) high = middle;
      else low = middle;
    }
    this.#changes.set(start, high);
    return high;
  }

  #offsetAtStep(start: number): number {
    const known = this.#steps.get(start);
    if (known !== undefined) return known;
    const offset = this.#measure(start);
    if (this.#steps.size >= MAX_CACHED_STEPS) {
      this.#steps.clear();
      this.#changes.clear();
    }
    this.#steps.set(start, offset);
    return offset;
  }

  #measure(atMs: number): number {
    const seconds = Math.floor(Math.max(atMs, FIRST_CHANGE_MS) / 1000) * 1000;
    const fields = new Map(this.#format.formatToParts(seconds).map(({ type, value }) => [type, Number(value)]));
    const field = (name: Intl.DateTimeFormatPartTypes): number => fields.get(name) ?? 0;
    return Date.UTC(field('year'), field('month') - 1, field('day'), field('hour'), field('minute'), field('second')) - seconds;
  }
}

function wallClockFormat(name: string): Intl.DateTimeFormat {
  try {
    // Newer versions of Node take "+02:00", which knows no DST: nobody who plans in calendar days means that.
    if (!/^[A-Za-z]/.test(name)) throw new RangeError('the name of a zone begins with a letter');
    return new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch (error) {
    throw unknownZone(name, error);
  }
}

function unknownZone(name: string, cause: unknown): RepositoryError {
  return new RepositoryError({
    code: 'REPO_TIMEZONE_UNKNOWN',
    message: `"${name}" is not a time zone`,
    hint: 'give an IANA name like Europe/Berlin or UTC',
    cause,
  });
}
