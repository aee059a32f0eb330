import { isValidName } from '../names.ts';

/**
 * The name of one snapshot of a set says everything about the set: OpenNebula has no other place to write it down, and a journal does not live as long.
 * `before-upgrade@onevault-set-20261127t194200-k3f9ab-vm6-disk0of0.1`
 */
export interface SetName {
  /** What the user called it. */
  readonly label: string | undefined;
  /** Id of the run that took it. */
  readonly setId: string;
  readonly vmId: number;
  readonly diskId: number;
  /** All disks of the set. */
  readonly disks: readonly number[];
}

const MARK = 'onevault-set-';
const PATTERN = /^(?:(.+)@)?onevault-set-(\d{8}t\d{6}-[0-9a-z]{6})-vm(\d+)-disk(\d+)of(\d+(?:\.\d+)*)$/;
/** What a backup calls its snapshots (names.ts, captureName). */
const CAPTURE = /^onevault-\d{8}t\d{6}-[0-9a-z]{6}-vm\d+-disk\d+$/;
const LONGEST_LABEL = 64;

export function formatSetName(name: SetName): string {
  const tail = `${MARK}${name.setId}-vm${name.vmId}-disk${name.diskId}of${name.disks.join('.')}`;
  return name.label === undefined ? tail : `${name.label}@${tail}`;
}

/** Only what `formatSetName` writes, to the letter: a name that merely looks like ours is somebody else's. */
export function parseSetName(text: string | undefined): SetName | undefined {
  const match = PATTERN.exec(text ?? '');
  if (match === null) return undefined;
  const [, label, setId = '', vmId, diskId, disks = ''] = match;
  const name: SetName = { label, setId, vmId: Number(vmId), diskId: Number(diskId), disks: disks.split('.').map(Number) };
  const ascending = name.disks.every((disk, i) => i === 0 || disk > (name.disks[i - 1] ?? disk));
  const isOurs = ascending && name.disks.includes(name.diskId) && formatSetName(name) === text && (label === undefined || isValidLabel(label));
  return isOurs ? name : undefined;
}

/** Temporary: it belongs to a backup that runs or has died. */
export function isCaptureName(text: string | undefined): boolean {
  return CAPTURE.test(text ?? '');
}

/** Nothing that could be taken for a set id, a place (`0:3`) or one of our names. */
export function isValidLabel(label: string): boolean {
  return isValidName(label) && label.length <= LONGEST_LABEL && label.trim() === label && !label.includes(MARK) && !/^(onevault-|latest$)/.test(label);
}

/** How a set is called where people read: its label, or `onevault-<set id>`. */
export function displayName(name: Pick<SetName, 'label' | 'setId'>): string {
  return name.label ?? `onevault-${name.setId}`;
}
