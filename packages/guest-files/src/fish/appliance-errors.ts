import { GuestFilesError } from '../errors.ts';
import { escapeName } from '../name-text.ts';

const INSTALL =
  'Debian, Ubuntu: apt-get install guestfish libguestfs-tools qemu-utils, and a kernel in /boot (linux-image-cloud-amd64); RHEL: dnf install libguestfs guestfs-tools';

export function programMissing(name: 'guestfish' | 'setpriv'): GuestFilesError {
  return new GuestFilesError({
    code: 'FILES_LIBGUESTFS_MISSING',
    message: `files inside a disk are read by libguestfs, and ${name} is not on PATH`,
    hint: name === 'guestfish' ? INSTALL : 'setpriv is of util-linux: install that',
  });
}

export function applianceDoesNotBoot(said: Uint8Array): GuestFilesError {
  const text = saidText(said);
  return new GuestFilesError({
    code: 'FILES_APPLIANCE_FAILED',
    message: `the micro-VM of libguestfs did not start: ${text}`,
    details: { said: text },
    hint: `libguestfs-test-tool says why. It needs a kernel in /boot that this user can read, its modules, and qemu (${INSTALL}). LIBGUESTFS_BACKEND and the other LIBGUESTFS_ variables reach it`,
  });
}

export function applianceBootsTooLong(ms: number): GuestFilesError {
  return new GuestFilesError({
    code: 'FILES_APPLIANCE_TIMEOUT',
    message: `the micro-VM of libguestfs did not start within ${ms / 1000} s`,
    details: { limit: ms },
    hint: 'where /dev/kvm is there and does not work (nested virtualisation), run it without: LIBGUESTFS_BACKEND=direct LIBGUESTFS_BACKEND_SETTINGS=force_tcg',
  });
}

export function applianceSilent(verb: string, ms: number): GuestFilesError {
  return new GuestFilesError({
    code: 'FILES_APPLIANCE_TIMEOUT',
    message: `${verb}: nothing came from the micro-VM of libguestfs for ${ms / 1000} s`,
    details: { limit: ms },
    hint: 'the file system may be damaged, or the repository slow: try another restore point, or export the disk and look at it there',
  });
}

export function applianceLost(how: string): GuestFilesError {
  return new GuestFilesError({
    code: 'FILES_APPLIANCE_LOST',
    message: `the session with libguestfs is over: ${how}`,
    hint: 'start again; if it happens at the same file, its file system is damaged: libguestfs-test-tool tells whether libguestfs itself works',
  });
}

export function tooMuch(): GuestFilesError {
  return new GuestFilesError({
    code: 'FILES_LIMIT_EXCEEDED',
    message: 'an answer of libguestfs was longer than any answer can be',
    hint: 'the file system is damaged or made to harm: take it to a machine of its own',
  });
}

export function commandRefused(verb: string, said: Uint8Array): GuestFilesError {
  const text = saidText(said);
  return new GuestFilesError({
    code: 'FILES_APPLIANCE_REFUSED',
    message: `libguestfs refused ${verb}: ${text}`,
    details: { said: text },
    hint: 'the file system may be damaged: try another restore point, or export the disk and check it there',
  });
}

/** The last of what was said, on one line and without anything a terminal would take for a command. */
export function saidText(said: Uint8Array): string {
  const lines = Buffer.from(said)
    .toString('latin1')
    .replace(/^\*stdin\*:\d+: /gm, '')
    .replace(/^libguestfs: error: /gm, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(Did you mean to open|For a list of commands|For complete documentation)/.test(line));
  return escapeName(Buffer.from(lines.join('; ').slice(0, 1000), 'latin1')) || 'it did not say why';
}

/** What the kernel inside said of a path: ENOENT and the like, which libguestfs has in words only (LC_ALL=C). */
export function refusedBecause(said: Uint8Array): 'absent' | 'kind' | 'other' {
  const text = Buffer.from(said).toString('latin1').trimEnd();
  if (/: No such file or directory$/m.test(text)) return 'absent';
  return /: (Not a directory|Is a directory|Too many levels of symbolic links)$/m.test(text) ? 'kind' : 'other';
}
