import type { RestorePoint } from '@onevault/backup-format';
import { pointVm } from '@onevault/composition';

/** What people call the VM of a group: as its newest restore point says. Manifests are told oldest first. */
export class VmNames {
  readonly #of = new Map<string, { readonly id: number | undefined; readonly name: string | undefined }>();
  readonly #wanted: string | undefined;
  readonly #matching = new Set<string>();

  /** `wanted`: a VM by id, name or group. */
  constructor(wanted?: string) {
    this.#wanted = wanted;
  }

  readonly note = (point: RestorePoint): void => {
    const vm = pointVm(point);
    this.#of.set(point.group, vm);
    if (this.#wanted === undefined) return;
    const isIt = point.group === this.#wanted || (/^\d+$/.test(this.#wanted) ? String(vm.id) === this.#wanted : vm.name === this.#wanted);
    if (isIt) this.#matching.add(point.group);
  };

  /** Groups that the wanted VM has or had. */
  get matching(): ReadonlySet<string> {
    return this.#matching;
  }

  vm(group: string): { readonly id: number | null; readonly name: string | null } {
    const { id, name } = this.#of.get(group) ?? {};
    return { id: id ?? null, name: name ?? null };
  }

  text(group: string): string {
    const { id, name } = this.vm(group);
    return id === null ? group : `VM ${id} ${name ?? ''}`.trim();
  }
}
