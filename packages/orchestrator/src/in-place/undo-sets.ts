import type { CallOptions } from '@onevault/base';
import type { OneApi } from '@onevault/one-client';
import { JobError } from '../errors.ts';
import { parseUndo, type UndoImage } from './undo-marks.ts';

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
}

/** Every way back there is, newest first: by the images' own marks, from any machine. */
export async function listUndoSets(cloud: OneApi, vmId?: number, options: CallOptions = {}): Promise<UndoSet[]> {
  const images = new Map<string, UndoImage[]>();
  for await (const image of cloud.images(options)) {
    const undo = parseUndo(image);
    if (undo === undefined || (vmId !== undefined && undo.vmId !== vmId)) continue;
    const key = `${undo.set} ${undo.vmId}`;
    images.set(key, [...(images.get(key) ?? []), undo]);
  }
  return [...images.values()].flatMap((members) => setOf(members)).sort((a, b) => (newness(a) < newness(b) ? 1 : -1));
}

/** The ids of runs of one second sort by chance. */
function newness({ since, set }: UndoSet): string {
  return `${since} ${set}`;
}

function setOf(members: readonly UndoImage[]): UndoSet[] {
  const [first] = members;
  if (first === undefined) return [];
  const { set, vmId, since, until, pointId, setSize } = first;
  const images = [...members].sort((a, b) => (a.target < b.target ? -1 : 1));
  return [{ set, vmId, since, until, pointId, images, complete: images.length === setSize }];
}

/** The set that is meant: the newest, or the one whose id begins so. */
export function chooseUndoSet(sets: readonly UndoSet[], vmId: number, wanted: string | undefined): UndoSet {
  const found = wanted === undefined ? sets.slice(0, 1) : sets.filter(({ set }) => set.startsWith(wanted));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  throw new JobError({
    code: 'JOB_UNDO_UNKNOWN',
    message:
      wanted === undefined
        ? `VM ${vmId} has nothing to go back to`
        : `${found.length === 0 ? 'no' : 'more than one'} way back of VM ${vmId} begins with '${wanted}'`,
    details: { vmId, sets: sets.map(({ set }) => set) },
    hint:
      sets.length === 0
        ? 'only what onevault in-place or onevault undo replaced can be brought back, until it expires'
        : `there are: ${sets.map(({ set }) => set).join(', ')}`,
  });
}
