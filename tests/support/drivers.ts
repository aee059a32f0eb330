import type { World } from './world.ts';
import { makeWorld } from './world.ts';

/** A storage driver, and the image datastore of the simulator that has it. */
export interface DriverCase {
  readonly driver: string;
  readonly datastore: number;
  readonly format?: 'qcow2';
  /** No way to capture a running disk: its VM is off. */
  readonly off?: true;
  /** Takes a live snapshot only of a guest that its agent can freeze. */
  readonly agent?: true;
  /** No disk snapshots at all. */
  readonly noSnapshots?: true;
}

export const DRIVERS: readonly DriverCase[] = [
  { driver: 'qcow2', datastore: 100 },
  { driver: 'shared', datastore: 102, format: 'qcow2' },
  { driver: 'local', datastore: 110, format: 'qcow2' },
  { driver: 'ssh', datastore: 108 },
  { driver: 'ceph', datastore: 104 },
  { driver: 'fs_lvm', datastore: 106, off: true, noSnapshots: true },
  { driver: 'fs_lvm_ssh, thin', datastore: 114, agent: true },
];

/** A world with one VM on that driver, its disks as small as they come. */
export async function worldOn({ datastore, format, off, agent }: DriverCase, disks = 1): Promise<World> {
  const disk = { sizeMiB: 1, datastore, ...(format !== undefined && { format }) };
  const world = await makeWorld({ disks: Array.from({ length: disks }, () => disk), volatileMiB: [], guestAgent: agent === true ? 'works' : 'none' });
  if (off !== true) return world;
  await world.must('one.vm.action', 'poweroff-hard', world.vm);
  await world.sim.control.idle();
  return world;
}
