import type { GroupSum, RepositorySum } from './group-sums.ts';

/** Sums of all groups, and which of them a VM's id means. Memory: one newest point for each VM. */
export class GroupBook {
  readonly #sums = new Map<string, GroupSum>();
  readonly #ofVm = new Map<number, Set<string>>();
  #current: (vmId: number) => string | undefined = () => undefined;

  identify(current: (vmId: number) => string | undefined): void {
    this.#current = current;
  }

  ofVm(vmId: number): GroupSum | undefined {
    const current = this.#current(vmId);
    return current === undefined ? this.#newestOf(vmId) : this.#sums.get(current);
  }

  perVm(): GroupSum[] {
    return [...this.#ofVm.keys()].flatMap((vmId) => this.#newestOf(vmId) ?? []);
  }

  /** What each repository has, of all groups together. */
  perRepository(): ReadonlyMap<string, Omit<RepositorySum, 'repository'>> {
    const sums = new Map<string, Omit<RepositorySum, 'repository'>>();
    for (const { inEach } of this.#sums.values()) {
      for (const { repository, points, damaged, pointBytes } of inEach) {
        const sum = sums.get(repository) ?? { points: 0, damaged: 0, pointBytes: 0 };
        sums.set(repository, { points: sum.points + points, damaged: sum.damaged + damaged, pointBytes: sum.pointBytes + pointBytes });
      }
    }
    return sums;
  }

  /** Of these groups (or all) there is this and nothing else. Answers the VMs that are concerned. */
  replace(groups: ReadonlySet<string> | undefined, sums: readonly GroupSum[]): ReadonlySet<number> {
    const vms = new Set<number>();
    for (const group of groups ?? [...this.#sums.keys()]) {
      const before = this.#sums.get(group);
      if (before === undefined) continue;
      this.#sums.delete(group);
      this.#ofVm.get(before.vmId)?.delete(group);
      if (this.#ofVm.get(before.vmId)?.size === 0) this.#ofVm.delete(before.vmId);
      vms.add(before.vmId);
    }
    for (const sum of sums) {
      this.#sums.set(sum.group, sum);
      if (sum.vmId >= 0) this.#ofVm.set(sum.vmId, (this.#ofVm.get(sum.vmId) ?? new Set()).add(sum.group));
      vms.add(sum.vmId);
    }
    return vms;
  }

  #newestOf(vmId: number): GroupSum | undefined {
    let newest: GroupSum | undefined;
    for (const group of this.#ofVm.get(vmId) ?? []) {
      const sum = this.#sums.get(group);
      if (sum !== undefined && (newest === undefined || sum.newest.capturedAt > newest.newest.capturedAt)) newest = sum;
    }
    return newest;
  }
}
