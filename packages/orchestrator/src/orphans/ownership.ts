import { type Attribute, type Attributes, type Image, isDone, type Snapshot, type Template, type Vm } from '@onevault/one-client';
import { isOwnSerial } from '@onevault/proxy-attach';
import type { CloudObject } from '../cloud-object.ts';
import { parseUndo } from '../in-place/undo-marks.ts';
import { isMeantToStay, NAME_MARK, parseCaptureName, parseTemplateName, RUN_MARK, runIdTime, STATE_MARK } from '../names.ts';

/** Kinds that can be found without a journal; the others are no objects, but states of somebody else's. */
export type OrphanObject = Extract<CloudObject, { readonly kind: 'snapshot' | 'image' | 'attachment' | 'template' | 'vm' }>;

/** Something in the cloud that carries all the signs of an object of ours that no run meant to stay. */
export interface Claim {
  readonly runId: string;
  readonly object: OrphanObject;
  readonly id: number;
  /** Each sign that was found, for a person. */
  readonly proof: readonly string[];
  /** Seconds since the epoch, by OpenNebula's clock; an attachment has no date. */
  readonly bornAt: number | undefined;
  readonly sizeMiB: number | undefined;
  /** Where it is: `VM 6 web, disk 0`, `datastore 1 default`. */
  readonly where: string;
}

const HOUR_S = 3600;
/** Clocks of proxy and front-end may differ, and a run may take days to reach its last disk; a name copied from an old run falls out. */
const BEFORE_RUN_S = 24 * HOUR_S;
const AFTER_RUN_S = 14 * 24 * HOUR_S;

function bornInRun(runId: string, bornAt: number): boolean {
  const begun = runIdTime(runId);
  if (begun === undefined) return false;
  const age = bornAt - begun.getTime() / 1000;
  return age >= -BEFORE_RUN_S && age <= AFTER_RUN_S;
}

/**
 * Rules of ADR 30. Every sign must agree: one alone proves nothing, since names can be chosen and copied by anybody. `self`: the user whose objects
 * ours are. All are pure: a body in, a verdict out.
 */
export function claimImage(image: Image, self: number): Claim | undefined {
  if (isMeantToStay(image.template)) return undefined;
  return imageClaim(image, self, 'RESTORING');
}

/** The way back of an exchange, whoever owns it: listed as what it is, and removed by `undo prune` alone. */
export function undoImage(image: Image): (Claim & { readonly vmId: number; readonly until: string }) | undefined {
  const undo = parseUndo(image);
  if (undo === undefined) return undefined;
  const { id, name, registeredAt: bornAt, sizeMiB } = image;
  const where = `datastore ${image.datastoreId} ${image.datastoreName}`;
  const facts = { object: { kind: 'image', name } as const, id, bornAt, sizeMiB, where, proof: [`${STATE_MARK}=UNDO`, 'name'] };
  return { ...facts, runId: undo.set, vmId: undo.vmId, until: undo.until };
}

/** What a failed restore left on demand: listed, so that it is not forgotten, and never removed by us. */
export function keptImage(image: Image, self: number): Claim | undefined {
  return image.template[STATE_MARK] === 'KEPT' ? imageClaim(image, self, 'KEPT') : undefined;
}

export function keptVm(vm: Vm, self: number): Claim | undefined {
  return vmClaim(vm, self, 'KEPT');
}

type UnfinishedState = 'RESTORING' | 'KEPT';

function imageClaim(image: Image, self: number, state: UnfinishedState): Claim | undefined {
  if (image.uid !== self) return undefined;
  const { id, name, registeredAt: bornAt, sizeMiB } = image;
  const facts = { object: { kind: 'image', name }, id, bornAt, sizeMiB, where: `datastore ${image.datastoreId} ${image.datastoreName}` } as const;
  const saved = parseCaptureName(name);
  if (saved !== undefined) {
    // OpenNebula itself writes where a saved disk came from (disksaveas): nobody else's image of this name says the same.
    const same = text(image.template['SAVED_VM_ID']) === String(saved.vmId) && text(image.template['SAVED_DISK_ID']) === String(saved.diskId);
    if (!same || !bornInRun(saved.runId, bornAt)) return undefined;
    return { ...facts, runId: saved.runId, proof: ['name', `saved from disk ${saved.diskId} of VM ${saved.vmId}`, 'owner', 'time'] };
  }
  const runId = unfinishedRun(image.template, name, state);
  if (runId === undefined || !bornInRun(runId, bornAt)) return undefined;
  return { ...facts, runId, proof: [`${RUN_MARK} and ${STATE_MARK}=${state}`, 'name', 'owner', 'time'] };
}

export function claimTemplate(template: Pick<Template, 'id' | 'name' | 'uid' | 'registeredAt' | 'template'>, self: number): Claim | undefined {
  const { id, name, registeredAt: bornAt } = template;
  const runId = parseTemplateName(name);
  if (runId === undefined || template.uid !== self || text(template.template[RUN_MARK]) !== runId || !bornInRun(runId, bornAt)) return undefined;
  return { runId, object: { kind: 'template', name }, id, bornAt, sizeMiB: undefined, where: '', proof: ['name', RUN_MARK, 'owner', 'time'] };
}

/** A VM that a restore was making: once it was kept it says RESTORED, and is nobody's orphan. */
export function claimVm(vm: Vm, self: number): Claim | undefined {
  return vmClaim(vm, self, 'RESTORING');
}

function vmClaim(vm: Vm, self: number, state: UnfinishedState): Claim | undefined {
  const { id, name, startTime: bornAt } = vm;
  if (vm.uid !== self || isDone(vm)) return undefined;
  const runId = unfinishedRun(vm.userTemplate, name, state);
  if (runId === undefined || !bornInRun(runId, bornAt)) return undefined;
  const proof = [`${RUN_MARK} and ${STATE_MARK}=${state}`, 'name', 'owner', 'time'];
  return { runId, object: { kind: 'vm', name }, id, bornAt, sizeMiB: undefined, where: vm.hostName === undefined ? '' : `host ${vm.hostName}`, proof };
}

/** Snapshots of the VM that a run of ours named for this very VM and disk. */
export function claimSnapshots(vm: Vm): Claim[] {
  if (isDone(vm)) return [];
  return vm.snapshots.flatMap(({ diskId, snapshots }) => {
    const disk = vm.disks.find((entry) => entry.diskId === diskId);
    return disk === undefined ? [] : snapshots.flatMap((snapshot) => claimSnapshot(vm, disk, snapshot) ?? []);
  });
}

function claimSnapshot(vm: Vm, disk: Vm['disks'][number], { id, name = '', date, sizeMiB }: Snapshot): Claim | undefined {
  const saved = parseCaptureName(name);
  if (saved?.vmId !== vm.id || saved.diskId !== disk.diskId || !bornInRun(saved.runId, date)) return undefined;
  const object = { kind: 'snapshot', vmId: vm.id, diskId: disk.diskId, name, imageId: disk.imageId } as const;
  const where = `VM ${vm.id} ${vm.name}, disk ${disk.diskId}`;
  return { runId: saved.runId, object, id, bornAt: date, sizeMiB, where, proof: ['name', 'VM and disk in the name', 'time'] };
}

/** Disks of a VM that carry a serial of ours; whether their images are ours too is for the caller, who has seen the images. */
export function ownSerials(vm: Vm): { readonly diskId: number; readonly imageId: number; readonly serial: string; readonly sizeMiB: number }[] {
  if (isDone(vm)) return [];
  return vm.disks.flatMap(({ diskId, imageId, serial, sizeMiB }) =>
    imageId !== undefined && serial !== undefined && isOwnSerial(serial) ? [{ diskId, imageId, serial, sizeMiB }] : [],
  );
}

/** The run that made it and has not kept it, as far as its marks say; a copy under another name is somebody's. */
function unfinishedRun(template: Attributes, name: string, state: UnfinishedState): string | undefined {
  const runId = text(template[RUN_MARK]);
  if (runId === undefined || text(template[STATE_MARK]) !== state || text(template[NAME_MARK]) !== name) return undefined;
  return runId;
}

function text(attribute: Attribute | undefined): string | undefined {
  return typeof attribute === 'string' ? attribute : undefined;
}
