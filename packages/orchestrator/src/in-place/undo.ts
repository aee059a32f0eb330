import type { CallOptions } from '@onevault/base';
import { type Disk, imageId, imageStateName, isRunning, type Vm, type VmId } from '@onevault/one-client';
import { readableImage } from '../cloud/readable-image.ts';
import { readSurroundings } from '../plan/surroundings.ts';
import type { ControlDeps } from '../ports.ts';
import type { SwapReport } from '../report.ts';
import { inRun, type Run } from '../run.ts';
import { lookAt } from '../snapshots/look.ts';
import { roomRefusals } from './check-room.ts';
import { diskRefusals, isReady, judgeSnapshots, type SnapshotFate, snapshotFates, vmRefusals } from './check-vm.ts';
import { type ExchangeRequest, exchangeDisks } from './exchange.ts';
import { type SwapNote, type SwapRefusal, swapRefused } from './refusal.ts';
import { swapReport } from './swap-report.ts';
import type { UndoImage } from './undo-marks.ts';
import { chooseUndoSet, listUndoSets, type UndoSet } from './undo-sets.ts';

export interface UndoRequest extends ExchangeRequest {
  readonly vmId: VmId;
  /** Its id or the beginning of it; default: the newest. */
  readonly set?: string;
  readonly allowSnapshotLoss: boolean;
  /** The VM this runs in, which cannot be stopped from inside. */
  readonly ownVm?: VmId;
}

export interface UndoPlan {
  readonly vm: Vm;
  readonly set: UndoSet;
  readonly disks: readonly { readonly disk: Disk; readonly undo: UndoImage; readonly snapshots: readonly SnapshotFate[] }[];
  /** The VM runs, and is stopped for it. */
  readonly stops: boolean;
  readonly refusals: readonly SwapRefusal[];
  readonly notes: readonly SwapNote[];
}

/** What going back would do, and what stands in the way. Changes nothing. */
export async function planUndo(deps: Pick<ControlDeps, 'cloud' | 'clock' | 'patience'>, request: UndoRequest, options: CallOptions = {}): Promise<UndoPlan> {
  const { vm } = await lookAt(deps, request.vmId, 'undo', options);
  const set = chooseUndoSet(await listUndoSets(deps.cloud, vm.id, options), vm.id, request.set);
  const surroundings = await readSurroundings(deps.cloud, undefined, options);
  const refusals = [...vmRefusals(vm, request.ownVm), ...whyNoWayBack(set)];
  const notes: SwapNote[] = [];
  const disks: { disk: Disk; undo: UndoImage; snapshots: readonly SnapshotFate[] }[] = [];
  for (const undo of set.images) {
    const disk = vm.disks.find(({ target }) => target === undo.target);
    refusals.push(...whyNotBack(disk, undo));
    if (disk?.imageId === undefined) continue;
    const snapshots = snapshotFates(vm, disk);
    const judged = judgeSnapshots(disk, snapshots, request.allowSnapshotLoss);
    const image = await readableImage(deps.cloud, imageId(disk.imageId), options);
    refusals.push(...diskRefusals(vm, disk, image, surroundings.caller), ...judged.refusals);
    notes.push(...judged.notes);
    disks.push({ disk, undo, snapshots });
  }
  const copies = disks.flatMap(({ disk }) =>
    disk.persistent || disk.datastoreId === undefined ? [] : [{ datastore: disk.datastoreId, sizeMiB: disk.sizeMiB }],
  );
  refusals.push(...roomRefusals(copies, surroundings));
  return { vm, set, disks, stops: isRunning(vm), refusals, notes };
}

function whyNoWayBack({ set, images, complete, confirmed }: UndoSet): SwapRefusal[] {
  if (!confirmed) {
    const text = `of images ${images.map(({ image }) => `${image.id} (of ${image.userName})`).join(', ')} nobody but they themselves says that they are a way back of this VM (${set})`;
    return [
      { code: 'UNDO_UNCONFIRMED', text, remedy: 'anybody can write that on an image of his own: ask its owner; attach it by hand if it is the right one' },
    ];
  }
  if (complete) return [];
  const text = `of what was replaced together (${set}) only ${images.map(({ target }) => target).join(', ')} is still there`;
  return [{ code: 'UNDO_INCOMPLETE', text, remedy: 'half a way back is none: attach the images by hand, or onevault undo prune --discard' }];
}

function whyNotBack(disk: Disk | undefined, { target, image, replacedBy }: UndoImage): SwapRefusal[] {
  const refusals: SwapRefusal[] = [];
  if (disk?.imageId !== replacedBy)
    refusals.push({
      code: 'UNDO_DISK_CHANGED',
      target,
      text: `the VM has ${disk === undefined ? 'no disk' : `image ${disk.imageId ?? 'none'}`} there, and no longer image ${replacedBy}, which took the old one's place`,
      remedy: 'go back step by step (onevault undo list shows the sets, newest first), or exchange it by hand',
    });
  if (!isReady(image))
    refusals.push({
      code: 'UNDO_IMAGE_STATE',
      target,
      text: `image ${image.id} is ${imageStateName(image.state)}`,
      remedy: `look at it: oneimage show ${image.id}`,
    });
  return refusals;
}

/**
 * Brings back what a restore in place, or another undo, replaced: the same exchange in the other direction. What it replaces in turn is kept as the way
 * forward again.
 */
export async function undoSwap(deps: ControlDeps, request: UndoRequest, options: CallOptions = {}): Promise<SwapReport> {
  const plan = await planUndo(deps, request, options);
  const { vm, set } = plan;
  if (plan.refusals.length > 0) throw swapRefused(vm, `undo of ${set.set}`, plan.refusals);
  const facts = { kind: 'swap', about: `undo of ${set.set} of VM ${vm.id} ${vm.name}` } as const;
  return inRun(deps, facts, options, (run) => goBack(run, plan, request, options));
}

async function goBack(run: Run, plan: UndoPlan, request: UndoRequest, options: CallOptions): Promise<SwapReport> {
  const startedMs = run.clock.monotonicMs();
  const { vm } = plan;
  run.emit({ type: 'run.started', kind: 'swap', action: 'undo', vmId: vm.id, vmName: vm.name });
  for (const note of plan.notes) run.warn(note.code, note.message);
  const exchanged = await exchangeDisks(
    run,
    {
      vm,
      stop: request.stop,
      keepUndoMs: request.keepUndoMs,
      pointId: undefined,
      disks: plan.disks.map(({ disk, undo }) => ({ disk, next: { imageId: undo.image.id, attributes: undo.attributes } })),
      made: [],
    },
    options,
  );
  await run.unwind();
  const report = swapReport(run, { action: 'undo', exchanged, vm, notes: plan.notes, startedMs });
  const fateOf = (target: string) => plan.disks.find(({ disk }) => disk.target === target)?.snapshots ?? [];
  return { ...report, disks: report.disks.map((disk) => ({ ...disk, snapshots: fateOf(disk.target) })) };
}
