import { type Image, imageId, isDone, type OneApi, type Vm, vmId } from '@onevault/one-client';
import { text } from '../attributes.ts';
import { unlessGone } from '../cloud/gone.ts';
import type { SwapObject, SwappedDisk } from '../cloud-object.ts';
import { NAME_MARK, PRODUCT_MARKS, RUN_MARK, runIdTime, STATE_MARK, UNDO_STATE } from '../names.ts';
import { isOfVm } from './kept-attributes.ts';
import { isMadeFor, madeForMark, removeSuperseded } from './superseded.ts';
import { whereItStands } from './where-it-stands.ts';

/** What an image that a VM had says of itself: enough to bring it back from any machine, and to know when nobody wants it any more. */
export interface UndoImage {
  readonly image: Image;
  /** Images that were replaced together; newer sets sort behind. */
  readonly set: string;
  /** How many they are. */
  readonly setSize: number;
  readonly vmId: number;
  readonly target: string;
  /** Of the DISK it was. */
  readonly attributes: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly since: string;
  readonly until: string;
  /** The image that took its place. */
  readonly replacedBy: number;
  readonly pointId: string | undefined;
}

const MARK = {
  vm: 'ONEVAULT_UNDO_VM',
  target: 'ONEVAULT_UNDO_TARGET',
  disk: 'ONEVAULT_UNDO_DISK',
  since: 'ONEVAULT_UNDO_SINCE',
  until: 'ONEVAULT_UNDO_UNTIL',
  setSize: 'ONEVAULT_UNDO_SET_SIZE',
  replacedBy: 'ONEVAULT_UNDO_REPLACED_BY',
  point: 'ONEVAULT_UNDO_POINT',
} as const;
/** On the image that took the place, with the set and the image it replaced: whoever may write that a VM's old image is his own may not write this. */
const REPLACES_MARK = 'ONEVAULT_UNDO_REPLACES';

/** `name`: of the image, so that a renamed one is somebody's. */
function undoMarks(swap: SwapObject, disk: SwappedDisk, name: string): Readonly<Record<string, string>> {
  return {
    [STATE_MARK]: UNDO_STATE,
    [RUN_MARK]: swap.set,
    [NAME_MARK]: name,
    [MARK.vm]: String(swap.vmId),
    [MARK.target]: disk.target,
    [MARK.disk]: JSON.stringify(disk.back.attributes),
    [MARK.since]: swap.since,
    [MARK.until]: swap.until,
    [MARK.setSize]: String(swap.disks.length),
    [MARK.replacedBy]: String(disk.next.imageId),
    [MARK.point]: swap.pointId ?? '',
    ...(disk.back.imageId !== disk.imageId && madeForMark(swap.vmId, disk.target, name)),
  };
}

/** What the image took the place of, as `replacementOf` says it of a way back; undefined where it says nothing. */
export function replacedBefore(image: Image): string | undefined {
  return text(image.template[REPLACES_MARK]);
}

export function replacementOf(set: string, oldImage: number): string {
  return `${set} ${oldImage}`;
}

/**
 * A copy is the disk now of which it was made, whose image is about to go: what that one had replaced has been replaced by the copy. Otherwise an exchange that was taken
 * back would have cost the VM the way back of the one before. Only for an image that was made for this very disk. Idempotent.
 */
export async function standFor(cloud: OneApi, vm: number, disk: SwappedDisk): Promise<void> {
  const replaced = await unlessGone(cloud.image(imageId(disk.imageId)));
  const said = replaced && replacedBefore(replaced);
  if (replaced === undefined || said === undefined || !isMadeFor(replaced, vm, disk.target)) return;
  const [, id = ''] = /^\S+ (\d{1,10})$/.exec(said) ?? [];
  const old = id === '' ? undefined : await unlessGone(cloud.image(imageId(Number(id))));
  const undo = old && parseUndo(old);
  if (undo === undefined || undo.vmId !== vm || replacementOf(undo.set, undo.image.id) !== said || undo.replacedBy !== disk.imageId) return;
  await cloud.updateImage(imageId(disk.back.imageId), { [REPLACES_MARK]: said });
  await cloud.updateImage(undo.image.id, { [MARK.replacedBy]: String(disk.back.imageId) });
}

/** Undefined for an image that is none, is called otherwise by now, or whose marks somebody edited beyond reading. */
export function parseUndo(image: Image): UndoImage | undefined {
  const mark = (name: string): string => text(image.template[name]) ?? '';
  const set = mark(RUN_MARK);
  if (mark(STATE_MARK) !== UNDO_STATE || mark(NAME_MARK) !== image.name || runIdTime(set) === undefined) return undefined;
  const numbers = [MARK.vm, MARK.setSize, MARK.replacedBy].map((name) => (/^\d{1,10}$/.test(mark(name)) ? Number(mark(name)) : Number.NaN));
  const [vm = Number.NaN, setSize = Number.NaN, replacedBy = Number.NaN] = numbers;
  const attributes = parseAttributes(mark(MARK.disk));
  const target = mark(MARK.target);
  const [since, until] = [mark(MARK.since), mark(MARK.until)];
  if (numbers.includes(Number.NaN) || attributes === undefined || target === '' || Number.isNaN(Date.parse(since)) || Number.isNaN(Date.parse(until)))
    return undefined;
  return { image, set, setSize, vmId: vm, target, attributes, since, until, replacedBy, pointId: mark(MARK.point) || undefined };
}

function parseAttributes(json: string): Readonly<Record<string, string>> | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (parsed === null || typeof parsed !== 'object') return undefined;
  const entries = Object.entries(parsed);
  if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) return undefined;
  // Whoever owns the image can write what he likes, and it will be attached with our rights: what the image is stays the image's own.
  return Object.fromEntries(entries.filter(([name]) => isOfVm(name.toUpperCase()) || name === 'READONLY'));
}

/**
 * Says on the images what became of them: what was replaced is the way back, what took its place stays. Only where the VM's body agrees: an exchange that
 * was taken back after all, or a disk that somebody exchanged since, is left as it is. Idempotent.
 */
export async function markSwapped(cloud: OneApi, swap: SwapObject): Promise<void> {
  const vm: Vm | undefined = await unlessGone(cloud.vm(vmId(swap.vmId)));
  if (vm === undefined || isDone(vm)) return;
  for (const disk of swap.disks) {
    if (whereItStands(vm, disk).standing !== 'next') continue;
    const old = await unlessGone(cloud.image(imageId(disk.back.imageId)));
    if (old !== undefined) await unlessGone(cloud.updateImage(old.id, undoMarks(swap, disk, old.name)));
    const made = swap.pointId === undefined ? undefined : await unlessGone(cloud.image(imageId(disk.next.imageId)));
    const nextMarks = {
      ...PRODUCT_MARKS,
      [REPLACES_MARK]: replacementOf(swap.set, disk.back.imageId),
      ...(made && madeForMark(swap.vmId, disk.target, made.name)),
    };
    await unlessGone(cloud.updateImage(imageId(disk.next.imageId), nextMarks));
    await removeSuperseded(cloud, swap.vmId, disk);
  }
}
