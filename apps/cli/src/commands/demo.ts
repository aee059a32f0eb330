import { Command, Option } from 'commander';
import type { RunCommand } from '../command-context.ts';
import { type DemoFlags, runDemo } from '../demo/demo.ts';

export function demoCommand(run: RunCommand): Command {
  return new Command('demo')
    .description('the main job from end to end on a simulated OpenNebula, every byte compared; needs nothing')
    .option('--dir <dir>', 'where to make a temporary directory of about 3 GiB; default: the system’s')
    .option('--keep', 'leave that directory')
    .addOption(new Option('--small').hideHelp())
    .addOption(new Option('--break <where>').choices(['restore', 'capture']).hideHelp())
    .action((flags: DemoFlags, sub: Command) => run(sub, (context) => runDemo(context, flags)));
}
