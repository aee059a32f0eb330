import { Command } from 'commander';
import type { RunCommand } from '../../command-context.ts';
import { serveCommand } from './serve.ts';

export function nbdCommand(run: RunCommand): Command {
  return new Command('nbd').description('disks of restore points as network block devices; needs no OpenNebula').addCommand(serveCommand(run));
}
