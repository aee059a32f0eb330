import type { CallOptions } from '@onevault/base';
import { hasLease } from '../lease/lease-watch.ts';
import type { PointPlace } from '../points.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { encodeMark } from './mark-body.ts';
import { MARKS_PREFIX, markKey, marksPrefix, parseMarkKey } from './mark-keys.ts';

/**
 * That somebody is about to forget a point, where whoever holds it, or counts on it as the last good one, can see it before it is gone: docs/format.md
 * section 18. An intent has the id of the lease under which it stands and means nothing any more when that lease is gone.
 */
export class ForgetIntents {
  readonly #deps: Pick<RepositoryParts, 'store' | 'config' | 'envelopes' | 'clock'>;

  constructor(deps: Pick<RepositoryParts, 'store' | 'config' | 'envelopes' | 'clock'>) {
    this.#deps = deps;
  }

  async announce({ group, id: pointId }: PointPlace, leaseId: string, options: CallOptions = {}): Promise<void> {
    const { store, envelopes, config, clock } = this.#deps;
    const mark = { kind: 'forgetting' as const, id: leaseId, createdAt: clock.now().toISOString() };
    const { key, bytes } = encodeMark(envelopes, { repositoryId: config.id, group, pointId }, mark);
    await store.put(key, bytes, options);
  }

  async withdraw({ group, id }: PointPlace, leaseId: string): Promise<void> {
    await this.#deps.store.delete(markKey(group, id, 'forgetting', leaseId));
  }

  /** Ids of the points of a group, or of one point, that somebody is forgetting, but not under the lease `except`. Removes what those who died have left. */
  async underWay(
    { group, pointId }: { readonly group: string; readonly pointId?: string },
    options: CallOptions & { readonly except?: string | undefined } = {},
  ): Promise<ReadonlySet<string>> {
    const { store } = this.#deps;
    const call = options.signal ? { signal: options.signal } : {};
    const prefix = pointId === undefined ? `${MARKS_PREFIX}${group}/` : marksPrefix(group, pointId);
    const leaving = new Set<string>();
    for await (const { key } of store.list(prefix, call)) {
      const at = parseMarkKey(key);
      if (at?.kind !== 'forgetting' || at.id === undefined || at.id === options.except) continue;
      if (await hasLease(store, at.id, call)) leaving.add(at.pointId);
      else await store.delete(key, call);
    }
    return leaving;
  }
}
