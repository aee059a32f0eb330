import { execFileSync } from 'node:child_process';
import { describe, expect, type TestFunction, test } from 'vitest';

/** Something a test needs from the machine beyond Node: whether it is there, and what a person can do when it is not. */
export interface Requirement {
  readonly met: boolean;
  /** `restic is missing: apt-get install restic` */
  readonly message: string;
}

/** A program on PATH. `install` is what a person types on Debian to get it. */
export function requiresCommand(name: string, install: string): Requirement {
  return { met: commandExists(name), message: `${name} is missing: ${install}` };
}

/** A module of the python3 on PATH. */
export function requiresPythonModule(name: string, install: string): Requirement {
  return { met: succeeds('python3', ['-c', `import ${name}`]), message: `the Python module ${name} is missing: ${install}` };
}

/** Loop devices, mounts and O_EXCL on block devices need root. */
export function requiresRoot(): Requirement {
  return { met: process.getuid?.() === 0, message: 'not root: run as root (loop devices need it)' };
}

/** Root, and a kernel that gives us a loop device: containers often do not. */
export function requiresLoopDevice(): Requirement {
  const root = requiresRoot();
  if (!root.met) return root;
  return { met: canAttachLoopDevice(), message: 'no loop device: apt-get install mount, and run where the kernel gives one (most containers do not)' };
}

/** The kernel that libguestfs boots: supermin looks where a distribution puts one, which a container need not have. */
export function requiresApplianceKernel(): Requirement {
  const met = succeeds('sh', ['-c', 'test -n "$SUPERMIN_KERNEL" || ls /boot/vmlinuz-* || ls /lib/modules/*/vmlinuz']);
  return { met, message: 'no kernel for the micro-VM of libguestfs in /boot: apt-get install linux-image-cloud-amd64' };
}

/**
 * `test` for a case that needs all of `requirements`. One that is not met skips the case with its message; under CI, where everything has been
 * installed on purpose, it fails instead, so that a check never disappears unseen.
 */
export function testWith(requirements: readonly Requirement[], title: string, body: TestFunction, timeoutMs?: number): void {
  const missing = missingMessage(requirements);
  if (missing === undefined) test(title, body, timeoutMs);
  else withoutRequirement(title, missing);
}

/** `describe` under the same rule; the body of a group that cannot run is not evaluated. */
export function describeWith(requirements: readonly Requirement[], title: string, body: () => void): void {
  const missing = missingMessage(requirements);
  if (missing === undefined) describe(title, body);
  else withoutRequirement(title, missing);
}

function withoutRequirement(title: string, missing: string): void {
  test(title, ({ skip }) => {
    // biome-ignore lint/style/noProcessEnv: whether this is CI is nobody's argument
    if (isTrue(process.env['CI'])) expect.fail(missing);
    skip(missing);
  });
}

function missingMessage(requirements: readonly Requirement[]): string | undefined {
  const missing = requirements.filter((requirement) => !requirement.met).map((requirement) => requirement.message);
  return missing.length === 0 ? undefined : missing.join('; ');
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && !['', '0', 'false'].includes(value);
}

function commandExists(name: string): boolean {
  return succeeds('sh', ['-c', 'command -v "$1"', 'sh', name]);
}

/** Tries it: in a container `losetup --find` names devices that cannot be opened. */
function canAttachLoopDevice(): boolean {
  const script = 'f=$(mktemp) && truncate -s 1M "$f" && d=$(losetup --find --show "$f"); s=$?; rm -f "$f"; [ $s = 0 ] && losetup --detach "$d"';
  return succeeds('sh', ['-c', script]);
}

function succeeds(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
