import { Scope } from '@onevault/base';
import { openPointFiles, type PointFiles } from '@onevault/composition';
import type { CommandContext } from '../command-context.ts';
import { selectPoint } from '../select/select-point.ts';
import { checkFlags, type FilesFlags } from './files-flags.ts';

export type OpenFiles = PointFiles;

/** The disks of a restore point in a micro-VM. Needs neither OpenNebula nor a proxy VM. */
export async function openFiles(context: CommandContext, text: string, flags: FilesFlags): Promise<OpenFiles> {
  const { compose, clock, logger, signal, output, around } = context;
  checkFlags(flags);
  await using scope = new Scope();
  const repository = scope.use(await compose.openRepository({ signal }));
  const point = await selectPoint(repository, text, flags.vm, { signal });
  const warn = (warning: string): void => output.warn(warning);
  const note = (text: string): void => output.note(text);
  const opened = scope.use(
    await openPointFiles({ repository, clock, logger, warn, note, environment: around.env }, { point, disks: flags.disk, maxBytes: flags.maxSize }, { signal }),
  );
  const owned = scope.move();
  return { ...opened, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

/** The same with the file system or operating system that the flags name in use. */
export async function openPlace(context: CommandContext, text: string, flags: FilesFlags): Promise<OpenFiles> {
  const { signal, output } = context;
  await using scope = new Scope();
  const opened = scope.use(await openFiles(context, text, flags));
  if (flags.root === undefined) await opened.files.useFileSystem(flags.fs, { signal });
  else {
    const missing = await opened.files.useSystem(flags.root === true ? undefined : flags.root, { signal });
    for (const { mountPoint, device, why } of missing) output.warn(`${mountPoint} is missing: ${device} cannot be mounted there: ${why}`);
  }
  const owned = scope.move();
  return { ...opened, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}
