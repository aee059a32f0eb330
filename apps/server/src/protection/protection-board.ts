import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CallOptions, Clock } from '@onevault/base';
import { type BackupPolicy, type CompiledPolicy, type Protection, protectionOf } from '@onevault/policies';
import type { Catalog } from '../ports/catalog.ts';
import type { InventoryVm } from '../ports/inventory.ts';
import type { ServerSettings } from '../ports/settings-store.ts';

export interface ProtectionDeps {
  readonly inventory: { vms(): readonly InventoryVm[]; vm(id: number): InventoryVm | undefined };
  readonly catalog: Pick<Catalog, 'ofVm'>;
  readonly settings: { current(): ServerSettings };
  readonly clock: Clock;
}

/** Under twenty policies some milliseconds. */
const AT_A_TIME = 100;

interface Judged {
  readonly vm: InventoryVm;
  readonly protection: Protection;
  /** When it is another one if nothing else changes, ms. */
  readonly changesAtMs: number;
}

/**
 * How every VM stands, from its restore points. Computed for a VM when it, its restore points or the policies are others than before, or its time has run out; so that a
 * list of all costs next to nothing.
 */
export class ProtectionBoard {
  readonly #deps: ProtectionDeps;
  readonly #judged = new Map<number, Judged>();
  #policies: readonly CompiledPolicy<BackupPolicy>[] | undefined;

  constructor(deps: ProtectionDeps) {
    this.#deps = deps;
  }

  /** Of one that is not known: unprotected, with no policy for it. */
  of(vmId: number): Protection {
    this.#renew();
    const vm = this.#deps.inventory.vm(vmId);
    if (vm === undefined) return { state: 'unprotected', policies: [], reason: 'no-policy' };
    const nowMs = this.#deps.clock.now().getTime();
    const before = this.#judged.get(vmId);
    const judged = before !== undefined && before.vm === vm && before.changesAtMs > nowMs ? before : this.#judge(vm, nowMs);
    return asOf(judged, nowMs);
  }

  /** Judges all whose standing is not known, a few at a time: whoever asks meanwhile waits for a few, and not for thousands. */
  async judgeAll(options: CallOptions = {}): Promise<void> {
    let judged = 0;
    for (const { facts } of this.#deps.inventory.vms()) {
      options.signal?.throwIfAborted();
      this.of(facts.id);
      if (++judged % AT_A_TIME === 0) await nextTurn();
    }
  }

  /** Judges whatever has changed, as soon as it has, until the signal: `changed` resolves when anything may be another than before. */
  async keepJudged(changed: (options: CallOptions) => Promise<void>, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    while (!signal.aborted) {
      const next = changed({ signal });
      await this.judgeAll({ signal });
      await next;
    }
  }

  /** Their restore points are others than before. */
  forget(vmIds: ReadonlySet<number>): void {
    for (const id of vmIds) this.#judged.delete(id);
  }

  /** Policies that changed judge all anew; what is known of VMs that are no longer there goes. */
  #renew(): void {
    const { backupPolicies } = this.#deps.settings.current();
    const { inventory } = this.#deps;
    if (backupPolicies !== this.#policies) this.#judged.clear();
    else if (this.#judged.size > 2 * inventory.vms().length + 100)
      for (const id of this.#judged.keys()) if (inventory.vm(id) === undefined) this.#judged.delete(id);
    this.#policies = backupPolicies;
  }

  #judge(vm: InventoryVm, nowMs: number): Judged {
    const points = this.#deps.catalog.ofVm(vm.facts.id);
    // A VM that is gone cannot be backed up: no policy wants anything of it.
    const policies = vm.exists ? (this.#policies ?? []) : [];
    const protection = protectionOf(vm.facts, policies, (repository) => points.newestGood(repository), nowMs);
    const changesAtMs = protection.state === 'protected' ? protection.untilMs + 1 : Number.POSITIVE_INFINITY;
    const judged = { vm, protection: out(protection, nowMs), changesAtMs };
    this.#judged.set(vm.facts.id, judged);
    return judged;
  }
}

/** What is late gets later: it is kept as the moment from which on it is. */
function out(protection: Protection, nowMs: number): Protection {
  return protection.state === 'out-of-rpo' ? { ...protection, lateMs: protection.lateMs - nowMs } : protection;
}

function asOf({ protection }: Judged, nowMs: number): Protection {
  return protection.state === 'out-of-rpo' ? { ...protection, lateMs: protection.lateMs + nowMs } : protection;
}
