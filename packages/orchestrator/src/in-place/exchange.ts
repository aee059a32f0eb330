import { type CallOptions, isBaseError } from '@onevault/base';
import { type Disk, isRunning, type Vm } from '@onevault/one-client';
import { bootByTarget, settleBootOrder } from '../cloud/boot-order.ts';
import { effectMissing } from '../cloud/disk-snapshot.ts';
import { placeDisk } from '../cloud/place-disk.ts';
import type { StopChoice } from '../cloud/power-state.ts';
import { wasRefused } from '../cloud/send.ts';
import { assertUntouched } from '../cloud/unchanged.ts';
import { settled } from '../cloud/when-free.ts';
import type { Placement, SwapObject } from '../cloud-object.ts';
import { captureName } from '../names.ts';
import type { Owned, Run } from '../run.ts';
import { stopForRun } from '../stop-vm.ts';
import { keptAttributes } from './kept-attributes.ts';
import { saveDisk } from './save-disk.ts';
import { whereItStands } from './where-it-stands.ts';

/** A disk of the VM and what shall be in its place. */
export interface ExchangedDisk {
  readonly disk: Disk;
  readonly next: Placement;
}

export interface ExchangeRequest {
  readonly stop: StopChoice;
  readonly keepUndoMs: number;
}

export interface ExchangeFacts extends ExchangeRequest {
  readonly vm: Vm;
  readonly disks: readonly ExchangedDisk[];
  /** The images among `next` that this run made, by name. */
  readonly made: readonly { readonly owned: Owned; readonly name: string }[];
  readonly pointId: string | undefined;
}

export interface Exchanged {
  readonly swap: SwapObject;
  /** The VM with its new disks, before it was started. */
  readonly vm: Vm;
  readonly downMs: number | undefined;
}

/**
 * Exchanges disks of a VM for images that are there: stops it, saves what would die with its disk, exchanges one disk after another, and starts it as it
 * was. Until all are exchanged and that is written down, everything goes back when anything fails or dies; from then on everything goes forward, but for a
 * VM that will not start with its new disks: it gets the old ones back.
 */
export async function exchangeDisks(run: Run, facts: ExchangeFacts, options: CallOptions): Promise<Exchanged> {
  const now = await settled(run.cloud, facts.vm.id, 'exchange of disks', options);
  const downFromMs = run.clock.monotonicMs();
  const stopped = isRunning(now) ? await stopForRun(run, now, facts.stop, options) : undefined;
  const down = await settled(run.cloud, now.id, 'exchange of disks', options);
  const copies = await saveMortalDisks(run, down, facts.disks, options);
  options.signal?.throwIfAborted();
  const swap = describeSwap(run, down, facts, copies);
  const { owned, vm } = await swapAll(run, down, facts.disks, swap);
  await run.keep([...facts.made.map(({ owned: image }) => image), ...copies.values(), owned], { mark: false });
  if (options.signal?.aborted === true) run.warn('EXCHANGE_NOT_INTERRUPTED', 'the exchange was finished before stopping: half of it would have been worse');
  if (stopped === undefined) return { swap, vm, downMs: undefined };
  await startAgain(run, stopped, swap, facts);
  return { swap, vm, downMs: run.elapsedMs(downFromMs) };
}

/** What the guest wrote to a disk that is not persistent lies in the system datastore and dies with the detach: it becomes an image first. */
async function saveMortalDisks(run: Run, vm: Vm, disks: readonly ExchangedDisk[], options: CallOptions): Promise<ReadonlyMap<Disk, Owned>> {
  const copies = new Map<Disk, Owned>();
  for (const { disk } of disks) {
    assertUntouched(vm, { vm, disk });
    if (!disk.persistent) copies.set(disk, await saveDisk(run, vm, disk, captureName(run.id, vm.id, disk.diskId), options));
  }
  return copies;
}

function describeSwap(run: Run, vm: Vm, { disks, keepUndoMs, pointId }: ExchangeFacts, copies: ReadonlyMap<Disk, Owned>): SwapObject {
  const since = run.clock.now();
  const boot = bootByTarget(vm);
  return {
    kind: 'swap',
    vmId: vm.id,
    set: run.id,
    since: since.toISOString(),
    until: new Date(since.getTime() + keepUndoMs).toISOString(),
    ...(boot !== undefined && { boot }),
    ...(pointId !== undefined && { pointId }),
    disks: disks.map(({ disk, next }) => ({
      target: disk.target,
      diskId: disk.diskId,
      imageId: Number(disk.imageId),
      back: { imageId: copies.get(disk)?.id ?? Number(disk.imageId), attributes: keptAttributes(vm.id, disk) },
      next,
    })),
  };
}

/** Written down before the first detach, with all that is needed to bring the old disks back from any process. */
async function swapAll(run: Run, down: Vm, disks: readonly ExchangedDisk[], swap: SwapObject): Promise<{ readonly owned: Owned; readonly vm: Vm }> {
  const before = await settled(run.cloud, down.id, 'exchange of disks');
  for (const { disk } of disks) assertUntouched(before, { vm: down, disk });
  const owned = await run.create(swap, async () => down.id);
  for (const disk of swap.disks)
    await run.step('swap-disk', { diskId: disk.diskId, object: `${disk.target} to image ${disk.next.imageId}` }, () =>
      placeDisk(run.cloud, down.id, disk, 'next'),
    );
  await settleBootOrder(run.cloud, down.id, swap.boot);
  const vm = await settled(run.cloud, down.id, 'exchange of disks');
  for (const disk of swap.disks)
    if (whereItStands(vm, disk).standing !== 'next')
      throw effectMissing(before, vm, `${disk.target} of VM ${vm.id} was exchanged for image ${disk.next.imageId}, and is another`);
  return { owned, vm };
}

/**
 * A VM that does not start with its new disks gets its old ones back: the run takes on again what it had given up, and unwinds. Where it is not known
 * whether it started, it keeps the new ones, and whoever recovers starts it.
 */
async function startAgain(run: Run, stopped: Owned, swap: SwapObject, { made }: ExchangeFacts): Promise<void> {
  await stopped.undo();
  try {
    stopped.assertUndone(`VM ${swap.vmId} did not start with its new disks`);
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    const didNotStart = wasRefused(cause) || (isBaseError(cause) && cause.code === 'JOB_VM_NOT_STARTED');
    if (didNotStart) {
      for (const { owned, name } of made) await run.create({ kind: 'image', name }, async () => owned.id);
      await run.create(swap, async () => swap.vmId);
      run.warn('EXCHANGE_TAKEN_BACK', `VM ${swap.vmId} did not start with its new disks: it gets the old ones back`);
    }
    throw cause ?? error;
  }
}
