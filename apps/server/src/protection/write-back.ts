import { type CallOptions, type Clock, isAbort, type Logger, serializeError } from '@onevault/base';
import { type OneApi, vmId } from '@onevault/one-client';
import type { Catalog } from '../ports/catalog.ts';
import type { InventoryVm } from '../ports/inventory.ts';
import type { ServerSettings } from '../ports/settings-store.ts';
import type { ProtectionBoard } from './protection-board.ts';

/** In the VM's USER_TEMPLATE, where `onevm show` and every label filter see it. */
const PROTECTION_ATTRIBUTE = 'ONEVAULT_PROTECTION';
const LAST_BACKUP_ATTRIBUTE = 'ONEVAULT_LAST_BACKUP';

export interface WriteBackDeps {
  readonly cloud: Pick<OneApi, 'updateVm'>;
  readonly inventory: { vms(): readonly InventoryVm[]; readonly refreshedAt: Date | undefined };
  readonly catalog: Pick<Catalog, 'ofVm'>;
  readonly board: Pick<ProtectionBoard, 'of'>;
  readonly settings: { current(): ServerSettings };
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One write a second: 5 000 VMs that were never written to take an hour and a half, and OpenNebula does not notice. */
const BETWEEN_WRITES_MS = 1000;
const BETWEEN_LOOKS_MS = 60_000;
/** One that could not be written to is left alone for so long. */
const AFTER_FAILURE_MS = 3_600_000;

/**
 * Writes to VMs how they are protected: to those of a policy that says `writeBack`, and to those that carry the attribute already, so that none goes on telling what was
 * true once. What the VM has is compared first: nothing is written at a start, or twice.
 */
export class WriteBack {
  readonly #deps: WriteBackDeps;
  /** Until the inventory has seen it. */
  readonly #written = new Map<number, { readonly text: string; readonly vm: InventoryVm }>();
  readonly #refused = new Map<number, number>();

  constructor(deps: WriteBackDeps) {
    this.#deps = deps;
  }

  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    while (!signal.aborted) {
      await this.writeAll({ signal });
      await this.#deps.clock.sleep(BETWEEN_LOOKS_MS, { signal });
    }
  }

  /** Brings every VM up to date once; the number of writes. */
  async writeAll(options: CallOptions = {}): Promise<number> {
    if (this.#deps.inventory.refreshedAt === undefined) return 0;
    let writes = 0;
    for (const vm of this.#deps.inventory.vms()) {
      const wanted = this.#wanted(vm);
      if (wanted === undefined) continue;
      if (writes++ > 0) await this.#deps.clock.sleep(BETWEEN_WRITES_MS, options);
      await this.#write(vm, wanted, options);
    }
    return writes;
  }

  /** Undefined: nothing is to be written. */
  #wanted(vm: InventoryVm): Readonly<Record<string, string>> | undefined {
    const { board, catalog, clock, settings } = this.#deps;
    const { id, attributes } = vm.facts;
    if (!vm.exists || (this.#refused.get(id) ?? 0) > clock.monotonicMs()) return undefined;
    const protection = board.of(id);
    const names = 'policies' in protection ? protection.policies : [];
    const isWanted = settings.current().backupPolicies.some(({ policy }) => policy.writeBack && names.includes(policy.name));
    if (!isWanted && attributes[PROTECTION_ATTRIBUTE] === undefined) return undefined;
    const newest =
      catalog
        .ofVm(id)
        .newest?.capturedAt.toISOString()
        .replace(/\.\d+Z$/, 'Z') ?? 'never';
    const wanted = { [PROTECTION_ATTRIBUTE]: protection.state, [LAST_BACKUP_ATTRIBUTE]: newest };
    const isThere = Object.entries(wanted).every(([name, value]) => attributes[name] === value);
    const written = this.#written.get(id);
    if (written !== undefined && (isThere || written.vm !== vm)) this.#written.delete(id);
    return isThere || (written?.vm === vm && written.text === JSON.stringify(wanted)) ? undefined : wanted;
  }

  async #write(vm: InventoryVm, wanted: Readonly<Record<string, string>>, options: CallOptions): Promise<void> {
    const { id } = vm.facts;
    try {
      await this.#deps.cloud.updateVm(vmId(id), wanted, options);
      this.#written.set(id, { text: JSON.stringify(wanted), vm });
      this.#refused.delete(id);
    } catch (error) {
      if (isAbort(error)) throw error;
      this.#refused.set(id, this.#deps.clock.monotonicMs() + AFTER_FAILURE_MS);
      this.#deps.logger.warn({ vmId: id, error: serializeError(error) }, 'protection cannot be written to the VM');
    }
  }
}
