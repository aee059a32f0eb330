import { isDeepStrictEqual } from 'node:util';
import { type CallOptions, type Clock, errorCode, isAbort, type Logger, type SerializedError, serializeError } from '@onevault/base';
import { type Host, isDone, type OneApi, vmId } from '@onevault/one-client';
import type { Inventory, InventoryVm } from '../ports/inventory.ts';
import { inventoryVm } from './inventory-vm.ts';
import type { LastView } from './last-view.ts';

export interface InventoryDeps {
  /** As the cloud administrator that the server is. */
  readonly cloud: OneApi;
  readonly clock: Clock;
  readonly logger: Logger;
  /** VMs that workers run in. */
  readonly proxies: () => Promise<ReadonlySet<number>>;
  /** VMs that have restore points and are none of these, as their newest restore point has them. */
  readonly former: (living: ReadonlySet<number>, options: CallOptions) => Promise<readonly InventoryVm[]>;
  /** Default: what is seen is forgotten when the process ends. */
  readonly view?: LastView;
}

const EVERY_MS = 60_000;
/** A cloud that takes longer to say what there is counts as away. */
const LONGEST_MS = 5 * 60_000;
/** So many that are missing from a listing are asked for one by one; the others stay until the next time. */
const ASKED_ONE_BY_ONE = 50;

interface Seen {
  readonly vm: InventoryVm;
  readonly group: string;
}

/**
 * What there is in OpenNebula, from memory. Memory: the facts of each VM, about a kibibyte. An object stays the same as long as its VM does, so that whoever computes
 * something of VMs knows which have changed.
 */
export class CloudInventory implements Inventory {
  readonly #deps: InventoryDeps;
  #seen = new Map<number, Seen>();
  #former = new Map<number, InventoryVm>();
  #vms: readonly InventoryVm[] = [];
  #hosts: ReadonlyMap<number, Host> = new Map();
  #proxies: ReadonlySet<number> = new Set();
  #refreshing: Promise<void> | undefined;
  readonly #listeners = new Set<(vms: readonly InventoryVm[]) => void>();
  refreshedAt: Date | undefined;
  seenAt: Date | undefined;
  problem: SerializedError | undefined;

  constructor(deps: InventoryDeps) {
    this.#deps = deps;
  }

  vms(): readonly InventoryVm[] {
    return this.#vms;
  }

  vm(id: number): InventoryVm | undefined {
    return this.#seen.get(id)?.vm ?? this.#former.get(id);
  }

  /** Which restore points are a VM's own; undefined for one that is not there (any more). */
  groupOf(id: number): string | undefined {
    return this.#seen.get(id)?.group;
  }

  /** Shows what the server saw before it was started; OpenNebula is not asked. It is a view, and nothing is begun from it: `refreshedAt` stays undefined. */
  async recall(): Promise<void> {
    const last = await this.#deps.view?.load();
    if (last === undefined) return;
    this.seenAt = last.at;
    const seen = last.vms.flatMap(({ vm, group }) => (group === undefined ? [] : [[vm.facts.id, { vm, group }] as const]));
    const former = last.vms.flatMap(({ vm, group }) => (group === undefined ? [[vm.facts.id, vm] as const] : []));
    this.#show(new Map(seen), new Map(former));
  }

  /** One at a time: who asks meanwhile waits for the same. Throws when the cloud cannot be asked; `problem` says why then, and the last view stays. */
  async refresh(options: CallOptions = {}): Promise<void> {
    this.#refreshing ??= this.#refresh(options).finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  async hasNewProxy(): Promise<boolean> {
    return [...(await this.#deps.proxies())].some((id) => !this.#proxies.has(id));
  }

  /** Looks again once a minute, until the signal. */
  async keepFresh({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    while (!signal.aborted) {
      await this.refresh({ signal }).catch((error: unknown) => {
        signal.throwIfAborted();
        this.#deps.logger.warn({ error: serializeError(error) }, 'OpenNebula cannot be asked what there is');
      });
      await this.#keep().catch((error: unknown) => this.#deps.logger.warn({ error: serializeError(error) }, 'what there is cannot be kept for the next start'));
      await this.#deps.clock.sleep(EVERY_MS, { signal });
    }
  }

  /** Told after each look that found anything else than before. */
  onChange(listener: (vms: readonly InventoryVm[]) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  async #refresh(options: CallOptions): Promise<void> {
    const limit = new AbortController();
    const bounded = options.signal === undefined ? limit.signal : AbortSignal.any([options.signal, limit.signal]);
    const done = new AbortController();
    void this.#deps.clock.sleep(LONGEST_MS, { signal: done.signal }).then(
      () => limit.abort(new Error('OpenNebula takes too long to say what there is')),
      () => undefined,
    );
    try {
      await this.#look({ signal: bounded });
      this.refreshedAt = this.#deps.clock.now();
      this.seenAt = this.refreshedAt;
      this.problem = undefined;
    } catch (error) {
      options.signal?.throwIfAborted();
      this.problem = serializeError(error);
      throw error;
    } finally {
      done.abort();
    }
  }

  async #keep(): Promise<void> {
    if (this.refreshedAt === undefined) return;
    const former = [...this.#former.values()].filter(({ facts }) => !this.#seen.has(facts.id));
    await this.#deps.view?.keep([...this.#seen.values(), ...former.map((vm) => ({ vm, group: undefined }))], this.refreshedAt);
  }

  async #look(options: CallOptions): Promise<void> {
    const { cloud } = this.#deps;
    this.#hosts = new Map((await cloud.hosts(options)).map((host) => [host.id, host]));
    const proxies = new Set(await this.#deps.proxies());
    const seen = new Map<number, Seen>();
    for await (const vm of cloud.fullVms(options)) seen.set(vm.id, this.#same(inventoryVm(vm, this.#hosts, proxies)));
    await this.#askAfterMissing(seen, options);
    const former = await this.#deps.former(new Set(seen.keys()), options);
    this.#proxies = proxies;
    this.#show(seen, new Map(former.map((vm) => [vm.facts.id, this.#sameFormer(vm)])));
  }

  /** A body that cannot be read is left out of a listing, and one that moves between two pages may be: neither is gone for that. */
  async #askAfterMissing(seen: Map<number, Seen>, options: CallOptions): Promise<void> {
    const missing = [...this.#seen].filter(([id]) => !seen.has(id));
    for (const [index, [id, before]] of missing.entries()) {
      if (index >= ASKED_ONE_BY_ONE || !(await this.#isGone(id, options))) seen.set(id, before);
    }
  }

  async #isGone(id: number, options: CallOptions): Promise<boolean> {
    try {
      return isDone(await this.#deps.cloud.vm(vmId(id), options));
    } catch (error) {
      if (isAbort(error)) throw error;
      return errorCode(error) === 'ONE_NO_EXISTS';
    }
  }

  #show(seen: Map<number, Seen>, former: Map<number, InventoryVm>): void {
    this.#seen = seen;
    this.#former = former;
    const vms = [...[...seen.values()].map(({ vm }) => vm), ...[...former.values()].filter(({ facts }) => !seen.has(facts.id))];
    vms.sort((a, b) => a.facts.id - b.facts.id);
    const isSame = vms.length === this.#vms.length && vms.every((vm, i) => vm === this.#vms[i]);
    if (isSame) return;
    this.#vms = vms;
    for (const listener of this.#listeners) listener(vms);
  }

  #same(now: Seen): Seen {
    const before = this.#seen.get(now.vm.facts.id);
    return before !== undefined && before.group === now.group && isDeepStrictEqual(before.vm, now.vm) ? before : now;
  }

  #sameFormer(now: InventoryVm): InventoryVm {
    const before = this.#former.get(now.facts.id);
    return before !== undefined && isDeepStrictEqual(before, now) ? before : now;
  }
}
