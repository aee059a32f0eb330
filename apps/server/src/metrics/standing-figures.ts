import { type BackupPolicy, type CompiledPolicy, type Protection, protectionOf } from '@onevault/policies';
import { Gauge, type Registry } from 'prom-client';
import type { Catalog, RepositoryStanding, VmPoints } from '../ports/catalog.ts';
import type { Inventory, InventoryVm } from '../ports/inventory.ts';
import type { ServerSettings } from '../ports/settings-store.ts';
import { labelText } from './label-text.ts';
import { MAX_VM_SERIES, type VmSeries, vmLabels, withPolicy } from './vm-series.ts';

export interface Standing {
  readonly inventory: Inventory;
  readonly catalog: Catalog;
  readonly settings: ServerSettings;
  readonly nowMs: number;
}

/** What is computed anew at each scrape, from memory alone: VMs and repositories as they stand. */
export class StandingFigures {
  readonly #vms;
  readonly #leftOut;
  readonly #policyRpo;
  readonly #policyOldest;
  readonly #inventoryAt;
  readonly #inventoryOk;
  readonly #repository;

  constructor(registry: Registry) {
    const gauge = (name: string, help: string, labelNames: string[] = []): Gauge => new Gauge({ name, help, labelNames, registers: [registry] });
    this.#vms = gauge('onevault_vms', 'VMs by how they stand', ['protection']);
    this.#leftOut = gauge('onevault_metrics_vms_left_out', 'VMs that have no series of their own because there are too many');
    this.#policyRpo = gauge('onevault_policy_rpo_seconds', 'Greatest age of the newest good restore point that a policy allows', ['policy']);
    this.#policyOldest = gauge('onevault_policy_oldest_success_timestamp_seconds', 'The last success of the VM of a policy that is worst off', ['policy']);
    this.#inventoryAt = gauge('onevault_inventory_refresh_timestamp_seconds', 'When OpenNebula was last read');
    this.#inventoryOk = gauge('onevault_inventory_up', 'Whether OpenNebula answered when it was last asked');
    this.#repository = {
      reachable: gauge('onevault_repository_reachable', 'Whether a repository answers', ['repository']),
      points: gauge('onevault_repository_points', 'Restore points', ['repository']),
      damagedPoints: gauge('onevault_repository_damaged_points', 'Restore points that verify found damaged', ['repository']),
      storedBytes: gauge('onevault_repository_stored_bytes', 'What a repository occupies', ['repository']),
      freeBytes: gauge('onevault_repository_free_bytes', 'Free space where a repository is; absent where nobody knows', ['repository']),
      dedupRatio: gauge('onevault_repository_dedup_ratio', 'Sizes of all restore points together, to what the repository occupies', ['repository']),
      lastVerify: gauge('onevault_repository_last_verify_timestamp_seconds', 'When a repository was last verified', ['repository']),
    };
  }

  set(standing: Standing, series: VmSeries): void {
    const { inventory, catalog } = standing;
    this.#setVms(standing, series);
    this.#inventoryOk.set(inventory.problem === undefined && inventory.refreshedAt !== undefined ? 1 : 0);
    setOrRemove(this.#inventoryAt, inventory.refreshedAt && inventory.refreshedAt.getTime() / 1000);
    for (const figure of Object.values(this.#repository)) figure.reset();
    for (const repository of catalog.repositories()) this.#setRepository(repository);
  }

  #setRepository({ name, reachable, points, damagedPoints, storedBytes, freeBytes, pointBytes, lastVerifyAt }: RepositoryStanding): void {
    const of = { repository: labelText(name) };
    this.#repository.reachable.set(of, reachable ? 1 : 0);
    this.#repository.points.set(of, points);
    this.#repository.damagedPoints.set(of, damagedPoints);
    if (storedBytes !== undefined) this.#repository.storedBytes.set(of, storedBytes);
    if (storedBytes !== undefined && storedBytes > 0) this.#repository.dedupRatio.set(of, pointBytes / storedBytes);
    if (freeBytes !== undefined) this.#repository.freeBytes.set(of, freeBytes);
    if (lastVerifyAt !== undefined) this.#repository.lastVerify.set(of, lastVerifyAt.getTime() / 1000);
  }

  #setVms({ inventory, catalog, settings, nowMs }: Standing, series: VmSeries): void {
    const lastSuccess = series.declare('onevault_vm_last_success_timestamp_seconds', 'When the bytes of the newest good restore point were what they are');
    const late = series.declare('onevault_vm_late_seconds', 'How long a VM has been out of its RPO; only those that are');
    for (const figure of [this.#vms, this.#policyRpo, this.#policyOldest]) figure.reset();
    const counts = { protected: 0, 'out-of-rpo': 0, unprotected: 0, excluded: 0 };
    const policies = new Map(settings.backupPolicies.map((compiled) => [compiled.policy.name, compiled]));
    const oldest = new Map<string, number>();
    const existing = inventory.vms().filter(({ exists }) => exists);
    const tell = ({ facts }: InventoryVm, hasSeries: boolean): void => {
      const points = catalog.ofVm(facts.id);
      const protection = protectionOf(facts, settings.backupPolicies, (repository) => points.newestGood(repository), nowMs);
      counts[protection.state] += 1;
      const vm = hasSeries ? vmLabels(facts.id, facts.name) : undefined;
      for (const [policy, capturedMs] of successes(protection, policies, points)) {
        oldest.set(policy, Math.min(oldest.get(policy) ?? Number.POSITIVE_INFINITY, capturedMs));
        if (vm !== undefined) lastSuccess(withPolicy(vm, policy), capturedMs / 1000);
      }
      if (vm !== undefined && protection.state === 'out-of-rpo') late(withPolicy(vm, protection.policy), protection.lateMs / 1000);
    };
    for (const [i, vm] of existing.entries()) tell(vm, i < MAX_VM_SERIES);
    for (const [protection, count] of Object.entries(counts)) this.#vms.set({ protection }, count);
    this.#leftOut.set(Math.max(0, existing.length - MAX_VM_SERIES));
    for (const { policy, rpoMs } of settings.backupPolicies) this.#policyRpo.set({ policy: policy.name }, rpoMs / 1000);
    for (const [policy, capturedMs] of oldest) this.#policyOldest.set({ policy }, capturedMs / 1000);
  }
}

/** The newest good restore point for each policy that the VM is under; 0 is never told: a VM without one is unprotected. */
function successes(protection: Protection, policies: ReadonlyMap<string, CompiledPolicy<BackupPolicy>>, points: VmPoints): (readonly [string, number])[] {
  if (protection.state === 'excluded') return [];
  return protection.policies.flatMap((name) => {
    const repository = policies.get(name)?.policy.repository;
    const newest = repository === undefined ? undefined : points.newestGood(repository);
    return newest === undefined ? [] : [[name, newest.capturedMs] as const];
  });
}

function setOrRemove(figure: Gauge, value: number | undefined): void {
  if (value === undefined) figure.remove();
  else figure.set(value);
}
