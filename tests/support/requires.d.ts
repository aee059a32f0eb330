import { type TestFunction } from 'vitest';
/** Something a test needs from the machine beyond Node: whether it is there, and what a person can do when it is not. */
export interface Requirement {
  readonly met: boolean;
  /** `restic is missing: apt-get install restic` */
  readonly message: string;
}
/** A program on PATH. `install` is what a person types on Debian to get it. */
export declare function requiresCommand(name: string, install: string): Requirement;
/** A module of the python3 on PATH. */
export declare function requiresPythonModule(name: string, install: string): Requirement;
/** Loop devices, mounts and O_EXCL on block devices need root. */
export declare function requiresRoot(): Requirement;
/** Root, and a kernel that gives us a loop device: containers often do not. */
export declare function requiresLoopDevice(): Requirement;
/** The kernel that libguestfs boots: supermin looks where a distribution puts one, which a container need not have. */
export declare function requiresApplianceKernel(): Requirement;
/**
 * `test` for a case that needs all of `requirements`. One that is not met skips the case with its message; under CI, where everything has been
 * installed on purpose, it fails instead, so that a check never disappears unseen.
 */
export declare function testWith(requirements: readonly Requirement[], title: string, body: TestFunction, timeoutMs?: number): void;
/** `describe` under the same rule; the body of a group that cannot run is not evaluated. */
export declare function describeWith(requirements: readonly Requirement[], title: string, body: () => void): void;
