import type { CallOptions } from '@onevault/base';
import { atPlace, isRepositoryError, RepositoryError } from './errors.ts';
import type { Envelopes } from './format/envelopes.ts';
import { GROUP, POINTS_PREFIX, parsePointKey, pointKey } from './format/ids.ts';
import { MAX_JSON_BYTES } from './format/limits.ts';
import { decodeManifest } from './format/manifest.ts';
import type { ListedPoint, PointFilter, RepositoryConfig, RestorePoint } from './repository-api.ts';
import type { ObjectStore } from './store/object-store.ts';
import { readWhole } from './store/read-whole.ts';

/** Where a manifest lies. */
export interface PointPlace {
  readonly group: string;
  readonly id: string;
}

/** The manifests of a repository. */
export class Points {
  readonly #store: ObjectStore;
  readonly #config: RepositoryConfig;
  readonly #envelopes: Envelopes;

  constructor(parts: { readonly store: ObjectStore; readonly config: RepositoryConfig; readonly envelopes: Envelopes }) {
    this.#store = parts.store;
    this.#config = parts.config;
    this.#envelopes = parts.envelopes;
  }

  /** Newest last; memory: one short id for every point. */
  async *list({ unless, ...filter }: PointFilter = {}, options: CallOptions = {}): AsyncGenerator<ListedPoint, void> {
    const places = await this.places(filter, options);
    yield* this.readAll(unless === undefined ? places : places.filter((place) => !unless(place)), options);
  }

  /** What lies at these places now, in their order; what was forgotten meanwhile is left out. */
  async *readAll(places: readonly PointPlace[], options: CallOptions = {}): AsyncGenerator<ListedPoint, void> {
    for (const place of places) {
      try {
        yield { kind: 'point', point: await this.read(place, options) };
      } catch (error) {
        if (isRepositoryError(error, 'REPO_OBJECT_MISSING')) continue; // forgotten since it was listed
        if (!isRepositoryError(error, 'REPO_MANIFEST_INVALID', 'REPO_UNSUPPORTED_VERSION')) throw error;
        yield { kind: 'damaged', key: pointKey(place.group, place.id), error };
      }
    }
  }

  async places(filter: { readonly group?: string } = {}, options: CallOptions = {}): Promise<PointPlace[]> {
    if (filter.group !== undefined && !GROUP.test(filter.group)) return [];
    const prefix = filter.group === undefined ? POINTS_PREFIX : `${POINTS_PREFIX}${filter.group}/`;
    const places: PointPlace[] = [];
    for await (const { key } of this.#store.list(prefix, options)) {
      const place = parsePointKey(key);
      if (place) places.push(place);
    }
    return places.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : a.group < b.group ? -1 : 1));
  }

  /** Throws REPO_MANIFEST_INVALID, REPO_UNSUPPORTED_VERSION, REPO_OBJECT_MISSING. */
  async read(place: PointPlace, options: CallOptions = {}): Promise<RestorePoint> {
    const key = pointKey(place.group, place.id);
    const bytes = await this.#readBytes(key, options);
    return atPlace({ key, pointId: place.id }, () =>
      decodeManifest(this.#envelopes, { ...place, repositoryId: this.#config.id }, this.#config.blockSizeBytes, bytes),
    );
  }

  async #readBytes(key: string, options: CallOptions): Promise<Uint8Array> {
    try {
      return await readWhole(this.#store, key, MAX_JSON_BYTES, options);
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_TOO_LARGE', 'REPO_OBJECT_TRUNCATED')) throw error;
      throw unreadable(key, error);
    }
  }

  /** By id or unique prefix of it. */
  async resolve(id: string, options: CallOptions = {}): Promise<PointPlace> {
    const found = id === '' ? [] : (await this.places({}, options)).filter((place) => place.id.startsWith(id));
    const [place] = found;
    if (!place)
      throw new RepositoryError({
        code: 'REPO_POINT_NOT_FOUND',
        message: `there is no restore point ${id}`,
        details: { pointId: id },
        hint: 'list the restore points to see their ids',
      });
    if (found.length > 1) {
      const candidates = found.slice(0, 10).map((candidate) => candidate.id);
      throw new RepositoryError({
        code: 'REPO_POINT_AMBIGUOUS',
        message: `${id} is the beginning of ${found.length} restore points`,
        details: { pointId: id, candidates },
        hint: `give more of the id: ${candidates.join(', ')}`,
      });
    }
    return place;
  }
}

function unreadable(key: string, cause: RepositoryError): RepositoryError {
  return new RepositoryError({ code: 'REPO_MANIFEST_INVALID', message: `the manifest ${key} cannot be read: ${cause.message}`, details: { key }, cause });
}
