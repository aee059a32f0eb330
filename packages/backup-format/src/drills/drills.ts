import { type CallOptions, serializeError } from '@onevault/base';
import { atPlace, isRepositoryError } from '../errors.ts';
import { newTimeId } from '../format/ids.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { objectExists } from '../store/object-errors.ts';
import { readWhole } from '../store/read-whole.ts';
import {
  DRILLS_PREFIX,
  type DrillPlace,
  decodeDrillRecord,
  drillKey,
  drillsPrefix,
  encodeDrillRecord,
  MAX_DRILL_BYTES,
  parseDrillKey,
} from './drill-record.ts';
import type { DrillFilter, DrillRecord, DrillSpec, DrillStanding, RepositoryDrills } from './drills-api.ts';

/** Of one group, beside the newest that passed. */
const KEPT_RECORDS = 20;

const UNREADABLE = ['REPO_DRILL_RECORD_INVALID', 'REPO_UNSUPPORTED_VERSION', 'REPO_OBJECT_MISSING', 'REPO_OBJECT_TRUNCATED', 'REPO_TOO_LARGE'] as const;

type DrillDeps = Pick<RepositoryParts, 'store' | 'config' | 'envelopes' | 'logger' | 'randomBytes'>;

export class Drills implements RepositoryDrills {
  readonly #deps: DrillDeps;

  constructor(deps: DrillDeps) {
    this.#deps = deps;
  }

  async record(spec: DrillSpec, options: CallOptions = {}): Promise<DrillRecord> {
    const record = { ...spec, id: newTimeId(new Date(spec.finishedAt), this.#deps.randomBytes) };
    if (!(await this.#put(record, options))) throw objectExists(drillKey(record));
    await this.#removeOld(spec.group, options);
    return record;
  }

  async *list(filter: DrillFilter = {}, options: CallOptions = {}): AsyncGenerator<DrillRecord, void> {
    const places = await this.#places(filter.group, options);
    for (const [at, place] of places.entries()) {
      if (filter.newest === true && places[at + 1]?.group === place.group) continue;
      try {
        yield await readDrillRecord(this.#deps, place, options);
      } catch (error) {
        if (!isRepositoryError(error, ...UNREADABLE)) throw error;
        this.#deps.logger.warn({ key: drillKey(place), error: serializeError(error) }, 'the record of a drill cannot be read and is left out');
      }
    }
  }

  async standings(options: CallOptions = {}): Promise<ReadonlyMap<string, DrillStanding>> {
    const standings = new Map<string, DrillStanding>();
    for (const { group, id, outcome } of await this.#places(undefined, options)) {
      const at = timeOf(id);
      const lastPassedAt = outcome === 'passed' ? at : standings.get(group)?.lastPassedAt;
      standings.set(group, { last: { outcome, at }, ...(lastPassedAt !== undefined && { lastPassedAt }) });
    }
    return standings;
  }

  /** A record of another repository, for a copy of its point; false when it is here already. */
  carry(record: DrillRecord, origin: string, options: CallOptions): Promise<boolean> {
    return this.#put({ ...record, origin: record.origin ?? origin }, options);
  }

  async #put(record: DrillRecord, options: CallOptions): Promise<boolean> {
    const { key, bytes } = encodeDrillRecord(this.#deps.envelopes, this.#deps.config.id, record);
    return (await this.#deps.store.put(key, bytes, { ...options, ifAbsent: true })) === 'created';
  }

  async #removeOld(group: string, options: CallOptions): Promise<void> {
    const places = await this.#places(group, options);
    const passed = places.findLast(({ outcome }) => outcome === 'passed');
    for (const place of places.slice(0, -KEPT_RECORDS)) if (place !== passed) await this.#deps.store.delete(drillKey(place), options);
  }

  /** By group, oldest first. */
  async #places(group: string | undefined, options: CallOptions): Promise<DrillPlace[]> {
    const places: DrillPlace[] = [];
    for await (const { key } of this.#deps.store.list(group === undefined ? DRILLS_PREFIX : drillsPrefix(group), options)) {
      const place = parseDrillKey(key);
      if (place !== undefined) places.push(place);
    }
    return places.sort((a, b) => (drillKey(a) < drillKey(b) ? -1 : 1));
  }
}

export async function readDrillRecord(
  deps: Pick<RepositoryParts, 'store' | 'config' | 'envelopes'>,
  place: DrillPlace,
  options: CallOptions,
): Promise<DrillRecord> {
  const key = drillKey(place);
  const bytes = await readWhole(deps.store, key, MAX_DRILL_BYTES, options);
  return atPlace({ key }, () => decodeDrillRecord(deps.envelopes, deps.config.id, place, bytes));
}

/** The time in a time id: `20261122T190011123Z-…`. */
function timeOf(id: string): string {
  return id.replace(/^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{3})Z-.*$/, '$1-$2-$3T$4:$5:$6.$7Z');
}
