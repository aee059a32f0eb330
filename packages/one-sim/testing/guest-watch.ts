import type { SimControl } from '../src/index.ts';

export interface GuestWatch {
  /**
   * What happened since that a protected VM must never go through, in words; empty when nothing did: another state than the one it rested in
   * (operations on its disks pass), a pause for the copy of a whole disk, harm to its data or its snapshots.
   */
  problems(): Promise<readonly string[]>;
}

/** Disk operations end in the state they began in and leave the guest as it is. */
const PASSING = /^(?:HOTPLUG|DISK_SNAPSHOT|DISK_RESIZE|BACKUP)/;

/** Watches a VM from now on; it must be at rest. */
export async function watchGuest(control: SimControl, vm: number): Promise<GuestWatch> {
  const before = await control.history(vm);
  const resting = before.states.at(-1) ?? '';
  return {
    async problems() {
      const { states, pauses, harm } = await control.history(vm);
      const left = states.slice(before.states.length).filter((state) => state !== resting && !PASSING.test(state));
      const long = pauses.slice(before.pauses.length).filter((pause) => pause.bytes > 0);
      const last = states.at(-1) ?? '';
      return [
        ...left.map((state) => `it was ${state}, having been ${resting}`),
        ...(last === resting ? [] : [`it is ${last}, having been ${resting}`]),
        ...long.map(({ how, why, disk, bytes }) => `its guest was ${how} for the ${why} of disk ${disk}, while ${bytes} bytes were copied`),
        ...harm.slice(before.harm.length),
      ];
    },
  };
}
