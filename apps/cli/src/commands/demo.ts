import { Command, Option } from 'commander';
import type { RunCommand } from '../command-context.ts';
import { type DemoFlags, runDemo } from '../demo/demo.ts';
import { type DemoServerFlags, runDemoServer } from '../demo/demo-server.ts';
import { LOOPBACK, parseAddress } from './server/server.ts';

export function demoCommand(run: RunCommand): Command {
  return new Command('demo')
    .description('the main job from end to end on a simulated OpenNebula, every byte compared; needs nothing')
    .option('--serve', 'instead of that: a server with its web UI on such a cloud, until Ctrl-C')
    .addOption(new Option('--listen <host:port>', 'of that server').argParser(parseAddress).default(LOOPBACK, '127.0.0.1:8440'))
    .option('--dir <dir>', 'where to make a temporary directory of about 3 GiB; default: the system’s')
    .option('--keep', 'leave that directory')
    .addOption(new Option('--small').hideHelp())
    .addOption(new Option('--break <where>').choices(['restore', 'capture']).hideHelp())
    .action((flags: DemoFlags & DemoServerFlags & { readonly serve?: boolean }, sub: Command) =>
      run(sub, (context) => (flags.serve === true ? runDemoServer(context, flags) : runDemo(context, flags))),
    );
}
