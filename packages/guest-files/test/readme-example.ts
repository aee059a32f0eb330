import { randomBytes } from 'node:crypto';
import { systemClock } from '@onevault/base';
import { escapeName, openGuestFiles } from '@onevault/guest-files';

/** Prints what is in a directory of a disk image's root volume, and the machine's name. */
export async function lookInto(image: string, environment: Record<string, string | undefined>, print: (text: string) => void): Promise<void> {
  const disks = [{ kind: 'file', path: image }] as const; // or { kind: 'nbd', socket: '/run/…' }; all disks of a machine at once
  await using files = await openGuestFiles({ disks, environment, tempDir: '/tmp' }, { clock: systemClock, randomBytes });
  await files.useFileSystem('/dev/vg/root');
  for (const { name, facts } of await files.list(Buffer.from('/etc'))) print(`${facts?.type} ${facts?.sizeBytes} ${escapeName(name)}`);
  for await (const chunk of files.read(Buffer.from('/etc/hostname'))) print(chunk.toString());
}
