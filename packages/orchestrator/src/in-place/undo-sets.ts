import type { CallOptions } from '@onevault/base';
import type { OneApi } from '@onevault/one-client';
import { JobError } from '../errors.ts';
import { parseUndo, replacedBefore, replacementOf, type UndoImage } from './undo-marks.ts';

/** Images that a VM had and that were replaced together. */
export interface UndoSet {
  readonly set: string;
  readonly vmId: number;
  readonly since: string;
  readonly until: string;
  readonly pointId: string | undefined;
  readonly images: readonly UndoImage[];
  /** All of them are still there. */
  readonly complete: boolean;
  /**
   * The images that took their place say so too. Anybody can write on an image of his own that it is a VM's way back; nobody can write it on an image that is
   * the VM's.
   */
  readonly confirmed: boolean;
}

/** Every way back there is, newest first, what is not confirmed behind: by the images' own marks, from any machine. */
export async function listUndoSets(cloud: OneApi, vmId?: number, options: CallOptions = {}): Promise<UndoSet[]> {
  const images = new Map<string, UndoImage[]>();
  const replaced = new Map<number, string>();
  for await (const image of cloud.images(options)) {
    const before = replacedBefore(image);
    if (before !== undefined) replaced.set(image.id, before);
    const undo = parseUndo(image);
    if (undo === undefined || (vmId !== undefined && undo.vmId !== vmId)) continue;
    const key = `${undo.set} ${undo.vmId}`;
    images.set(key, [...(images.get(key) ?? []), undo]);
  }
  const isConfirmed = ({ set, image, replacedBy }: UndoImage): boolean => replaced.get(replacedBy) === replacementOf(set, image.id);
  return [...images.values()]
    .flatMap((members) => [
      ...setOf(members.filter(isConfirmed), true),
      ...setOf(
        members.filter((undo) => !isConfirmed(undo)),
        false,
      ),
    ])
    .sort((a, b) => (newness(a) < newness(b) ? 1 : -1));
}

/** The ids of runs of one second sort by chance. */
function newness({ confirmed, since, set }: UndoSet): string {
  return `${confirmed ? 1 : 0} ${since} ${set}`;
}

function setOf(members: readonly UndoImage[], confirmed: boolean): UndoSet[] {
  const [first] = members;
  if (first === undefined) return [];
  const { set, vmId, since, until, pointId, setSize } = first;
  const images = [...members].sort((a, b) => (a.target < b.target ? -1 : 1));
  return [{ set, vmId, since, until, pointId, images, complete: images.length === setSize, confirmed }];
}

/** The set that is meant: the newest, or the one whose id begins so. */
export function chooseUndoSet(sets: readonly UndoSet[], vmId: number, wanted: string | undefined): UndoSet {
  const confirmed = sets.filter((set) => set.confirmed);
  const named = (of: readonly UndoSet[]): readonly UndoSet[] => of.filter(({ set }) => wanted !== undefined && set.startsWith(wanted));
  const found = wanted === undefined ? confirmed.slice(0, 1) : named(confirmed).length > 0 ? named(confirmed) : named(sets);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  throw new JobError({
    code: 'JOB_UNDO_UNKNOWN',
    message:
      wanted === undefined
        ? `VM ${vmId} has nothing to go back to`
        : `${found.length === 0 ? 'no' : 'more than one'} way back of VM ${vmId} begins with '${wanted}'`,
    details: { vmId, sets: sets.map(({ set }) => set) },
    hint: whatThereIs(sets, confirmed, wanted),
  });
}

function whatThereIs(sets: readonly UndoSet[], confirmed: readonly UndoSet[], wanted: string | undefined): string {
  const names = sets.map(({ set }) => set).join(', ');
  if (sets.length === 0) return 'only what onevault in-place or onevault undo replaced can be brought back, until it expires';
  if (wanted !== undefined || confirmed.length > 0) return `there are: ${names}`;
  return `images say of themselves that they are a way back (${names}), and nothing that took their place says so: if they are the right ones, attach them by hand`;
}
