import { isYes, textOf, type Vector, vectorsOf } from '../template/attributes.ts';
import type { SnapshotTree, Vm } from './world-schema.ts';

/** Reading VM/TEMPLATE/DISK. The vectors are what oned stores: text throughout. */
export function disksOf(vm: Vm): Vector[] {
  return vectorsOf(vm.template, 'DISK');
}

export function diskOf(vm: Vm, diskId: number): Vector | undefined {
  return disksOf(vm).find((disk) => disk['DISK_ID'] === String(diskId));
}

export function diskIdOf(disk: Vector): number {
  return Number(disk['DISK_ID']);
}

/** Undefined for a volatile disk. */
export function imageIdOf(disk: Vector): number | undefined {
  const id = disk['IMAGE_ID'];
  return id === undefined || id === '' ? undefined : Number(id);
}

export function isPersistent(disk: Vector): boolean {
  return isYes(disk['PERSISTENT']);
}

export function isReadonly(disk: Vector): boolean {
  return disk['READONLY']?.toLowerCase() === 'yes';
}

export function snapshotsOf(vm: Vm, diskId: number): SnapshotTree | undefined {
  return vm.snapshots.find((tree) => tree.diskId === diskId);
}

/** The generated context ISO counts as a disk id and a target, though it is no DISK. */
export function contextOf(vm: Vm): Vector | undefined {
  return vectorsOf(vm.template, 'CONTEXT')[0];
}

export function usedTargets(vm: Vm): Set<string> {
  const targets = [...disksOf(vm), contextOf(vm)].map((vector) => vector?.['TARGET'] ?? '');
  return new Set(targets.filter((target) => target !== ''));
}

/** max(existing, CONTEXT included) + 1: an id freed at the top is used again, gaps are not. */
export function nextDiskId(vm: Vm): number {
  const ids = [...disksOf(vm), contextOf(vm)].map((vector) => Number(vector?.['DISK_ID'] ?? -1));
  return Math.max(-1, ...ids) + 1;
}

/** prefix + a, b … z, aa …: the first that is free. */
export function freeTarget(prefix: string, used: ReadonlySet<string>): string {
  for (let n = 0; ; n++) {
    const letters = n < 26 ? letter(n) : letter(Math.floor(n / 26) - 1) + letter(n % 26);
    if (!used.has(prefix + letters)) return prefix + letters;
  }
}

const letter = (n: number): string => String.fromCharCode(97 + n);

export function uuidOf(vm: Vm): string | undefined {
  return vectorsOf(vm.template, 'OS')[0]?.['UUID'];
}

export function numberOf(vm: Vm, name: string): number {
  return Number(textOf(vm.template, name) ?? 0);
}
