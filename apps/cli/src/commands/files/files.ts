import { Command } from 'commander';
import type { RunCommand } from '../../command-context.ts';
import { catCommand } from './cat.ts';
import { extractCommand } from './extract.ts';
import { fileSystemsCommand } from './filesystems.ts';
import { lsCommand } from './ls.ts';
import { tarCommand } from './tar.ts';

export function filesCommand(run: RunCommand): Command {
  const command = new Command('files').description('files inside the disks of a restore point, read in a micro-VM of libguestfs; needs no OpenNebula');
  for (const subcommand of [fileSystemsCommand, lsCommand, catCommand, extractCommand, tarCommand]) command.addCommand(subcommand(run));
  return command;
}
