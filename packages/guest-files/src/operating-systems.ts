import type { CallOptions } from '@onevault/base';
import { GuestFilesError } from './errors.ts';
import { mountAt, recognised } from './file-systems.ts';
import type { Guestfish } from './fish/guestfish.ts';
import { parsePairs } from './fish/structs.ts';

/** An installed operating system, as libguestfs recognises it. */
export interface GuestSystem {
  /** The device of its root file system: what names it. */
  readonly root: string;
  /** `Debian GNU/Linux 12 (bookworm)`. */
  readonly product: string | undefined;
  readonly mounts: readonly { readonly mountPoint: string; readonly device: string }[];
}

export async function inspect(fish: Guestfish, options: CallOptions): Promise<GuestSystem[]> {
  await fish.run('umount-all', [], options);
  const roots = lines(await fish.run('inspect-os', [], options));
  const systems: GuestSystem[] = [];
  for (const root of roots) {
    const product = await fish.attempt('inspect-get-product-name', [root], options);
    const mounts = parsePairs((await fish.run('inspect-get-mountpoints', [root], options)).toString('utf8'));
    systems.push({
      root,
      product: product.ok ? product.output.toString('utf8').trim() || undefined : undefined,
      // The shortest first, so that each finds the directory that it is mounted on.
      mounts: mounts.map(([mountPoint, device]) => ({ mountPoint, device })).sort((a, b) => a.mountPoint.length - b.mountPoint.length),
    });
  }
  return systems;
}

/** A file system of an operating system that could not be mounted where the system has it. */
export interface MissingMount {
  readonly mountPoint: string;
  readonly device: string;
  readonly why: string;
}

/** Mounts a system as it mounts itself; answers what of it is missing. Throws FILES_SYSTEM_UNKNOWN, FILES_FILE_SYSTEM_UNREADABLE. */
export async function mountSystem(fish: Guestfish, wanted: string | undefined, options: CallOptions): Promise<MissingMount[]> {
  const systems = await inspect(fish, options);
  const chosen = wanted === undefined ? systems : systems.filter(({ root }) => root === wanted);
  const [system, ...others] = chosen;
  if (system === undefined || others.length > 0) throw noSystem(wanted, systems);
  await fish.run('umount-all', [], options);
  const types = new Map(await recognised(fish, options));
  const missing: MissingMount[] = [];
  for (const { mountPoint, device } of system.mounts) {
    const why = await mountAt(fish, device, types.get(device) ?? 'unknown', mountPoint, options);
    if (why === undefined) continue;
    if (mountPoint === '/') throw noRoot(device, why);
    missing.push({ mountPoint, device, why });
  }
  return missing;
}

function lines(output: Buffer): string[] {
  return output
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
}

function noSystem(wanted: string | undefined, systems: readonly GuestSystem[]): GuestFilesError {
  const found = systems.map(({ root, product }) => (product === undefined ? root : `${root} (${product})`)).join(', ');
  return new GuestFilesError({
    code: 'FILES_SYSTEM_UNKNOWN',
    message: wanted === undefined ? `${systems.length || 'no'} operating systems are on these disks` : `no operating system has its root on ${wanted}`,
    details: { candidates: systems.map(({ root }) => root) },
    hint: systems.length === 0 ? 'name a file system instead' : `name one by its root: ${found}`,
  });
}

function noRoot(device: string, why: string): GuestFilesError {
  return new GuestFilesError({
    code: 'FILES_FILE_SYSTEM_UNREADABLE',
    message: `${device}, the root of the operating system, cannot be read: ${why}`,
    details: { device, said: why },
    hint: 'name another file system, or take another restore point',
  });
}
