import { join } from 'node:path';
import type { CommandContext } from '../command-context.ts';
import { type Address, serve } from '../commands/server/server.ts';
import type { ExitCode } from '../exit.ts';
import { makeDisk } from './disk-images.ts';
import { openStage } from './stage.ts';

export interface DemoServerFlags {
  readonly listen: Address;
  readonly dir?: string;
  readonly keep?: boolean;
  readonly small?: boolean;
}

/** What there is to protect: names, and the sizes of their disks. */
const FLEET: readonly { readonly name: string; readonly sizesMiB: readonly number[] }[] = [
  { name: 'web', sizesMiB: [64, 32] },
  { name: 'db', sizesMiB: [96] },
  { name: 'mail', sizesMiB: [32] },
];

/** A server as it is after its installation, before a simulated cloud with some VMs, until the signal; nothing of it stays. */
export async function runDemoServer(outer: CommandContext, { listen, dir, keep = false, small = false }: DemoServerFlags): Promise<ExitCode> {
  const { output, around, signal } = outer;
  await using stage = await openStage(outer, { keep, ...(dir !== undefined && { dir }) });
  output.line('onevault demo: a server and a simulated OpenNebula with real disks behind it, made anew in a temporary directory');
  let seed = 1;
  for (const { name, sizesMiB } of FLEET) {
    const disks: { readonly file: string }[] = [];
    for (const [at, sizeMiB] of sizesMiB.entries()) {
      const { path, text } = await makeDisk(stage.dir, `${name}-${at}`, small ? sizeMiB / 8 : sizeMiB, seed++ * 1000, { signal });
      output.line(`  VM ${name}, disk ${at}: ${text}`);
      disks.push({ file: path });
    }
    await stage.simulator.control.createVm({ name, disks, volatileMiB: [], nics: ['lan'] });
  }
  const { user, password } = stage.simulator;
  const place = join(stage.dir, 'repository');
  output.line(`  sign in as ${user} with the password ${password}; a place for a repository: ${place}`);
  output.line(keep ? `  Ctrl-C ends both; ${stage.dir} stays` : '  Ctrl-C ends both and takes the directory away');
  // What the shell says about a real cloud or database is not meant here.
  const env = Object.fromEntries(Object.entries(around.env).filter(([name]) => !/^(ONE_|ONEVAULT_|DATABASE_URL$)/.test(name)));
  return await serve({ ...stage.context, output, around: { ...around, env } }, { listen, role: 'all', slots: 2 }, { user, password, repository: place });
}
