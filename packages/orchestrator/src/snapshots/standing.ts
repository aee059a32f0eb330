import type { DiskStanding } from '../events.ts';

/** What becomes of disks that are worked on one after another; for the person who must know when it stops half-way. */
export class Standings {
  readonly #all: DiskStanding[];

  constructor(disks: readonly Omit<DiskStanding, 'state'>[]) {
    this.#all = disks.map((disk) => ({ ...disk, state: 'not-done' }));
  }

  set(at: number, state: DiskStanding['state']): void {
    const disk = this.#all[at];
    if (disk !== undefined) this.#all[at] = { ...disk, state };
  }

  get all(): readonly DiskStanding[] {
    return [...this.#all];
  }

  /** Nothing was done, for sure. */
  get untouched(): boolean {
    return this.#all.every(({ state }) => state === 'not-done');
  }
}

/** `disk 0 is reverted; disk 1 is as it was`. */
export function standingText(disks: readonly DiskStanding[], words: Readonly<Record<DiskStanding['state'], string>>): string {
  return disks.map(({ diskId, snapshotId, state }) => `disk ${diskId} (snapshot ${snapshotId}) ${words[state]}`).join('; ');
}
