import { Command } from 'commander';
import type { RunCommand } from '../../command-context.ts';
import { initCommand } from '../init.ts';
import { checkCommand, verifyCommand } from '../verify.ts';
import { copyCommand } from './copy.ts';
import { gcCommand } from './gc.ts';
import { infoCommand } from './info.ts';
import { keyCommand } from './key.ts';
import { repairCommand } from './repair.ts';
import { statsCommand } from './stats.ts';
import { unlockCommand } from './unlock.ts';

/** What can be done to a repository as a whole; each subcommand in its own file beside this one. */
const SUBCOMMANDS: readonly ((run: RunCommand) => Command)[] = [
  initCommand,
  infoCommand,
  statsCommand,
  keyCommand,
  checkCommand,
  verifyCommand,
  repairCommand,
  gcCommand,
  copyCommand,
  unlockCommand,
];

export function repoCommand(run: RunCommand): Command {
  const command = new Command('repo').description('the repository itself: what it is and holds, its health, its space, its keys');
  for (const subcommand of SUBCOMMANDS) command.addCommand(subcommand(run));
  return command;
}
