import type { RestorePoint, StoredDisk } from '@onevault/backup-format';

type Annotations = RestorePoint['annotations'];

/** The VM a restore point is of, as the product noted it in the manifest. Repositories are read by later and earlier versions: what is missing is undefined. */
export function pointVm(point: RestorePoint): { readonly id: number | undefined; readonly name: string | undefined } {
  const vm = record(point.annotations['vm']);
  return { id: number(vm['id']), name: text(vm['name']) };
}

export interface SkippedDisk {
  readonly diskId: number | undefined;
  readonly target: string | undefined;
  readonly sizeMiB: number | undefined;
  readonly reasons: readonly string[];
}

export function skippedDisks(point: RestorePoint): SkippedDisk[] {
  const skipped = point.annotations['skippedDisks'];
  if (!Array.isArray(skipped)) return [];
  return skipped
    .map(record)
    .map((disk) => ({ diskId: number(disk['diskId']), target: text(disk['target']), sizeMiB: number(disk['sizeMiB']), reasons: texts(disk['reasons']) }));
}

export function diskFacts(disk: StoredDisk): {
  readonly diskId: number | undefined;
  readonly target: string | undefined;
  readonly method: string | undefined;
  readonly consistency: string | undefined;
  readonly mode: string | undefined;
  readonly modeReason: string | undefined;
  readonly imageName: string | undefined;
} {
  const facts = disk.annotations;
  return {
    diskId: number(facts['diskId']),
    target: text(facts['target']),
    method: text(facts['method']),
    consistency: text(facts['consistency']),
    mode: text(facts['mode']),
    modeReason: text(facts['modeReason']),
    imageName: text(facts['imageName']),
  };
}

function record(value: Annotations[string] | undefined): Annotations {
  return typeof value === 'object' && value !== null && !isList(value) ? value : {};
}

function isList(value: object): value is readonly Annotations[string][] {
  return Array.isArray(value);
}

function number(value: Annotations[string] | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function text(value: Annotations[string] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function texts(value: Annotations[string] | undefined): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
