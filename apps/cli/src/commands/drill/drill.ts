import { Command, Option } from 'commander';
import type { RunCommand } from '../../command-context.ts';
import { remoteDrillList, remoteDrillRun } from '../../remote/drills.ts';
import { addRecoverFlag } from '../recover-first.ts';
import { addTableFlags } from '../table-flags.ts';
import { type DrillListFlags, runDrillList } from './list.ts';
import { type DrillRunFlags, runDrills } from './run.ts';

const collect = (value: string, all: readonly string[] | undefined): string[] => [...(all ?? []), value];

export function drillCommand(run: RunCommand): Command {
  const command = new Command('drill').description('prove that restores work: restore to a throw-away VM, wait until its guest lives, take it away');
  addRecoverFlag(addWhatFlags(addSignFlags(command.command('run').argument('[vm...]', 'ids, names or groups, as the repository knows them'))))
    .description('drill the newest restore point of each VM, one after another, and keep a record of each')
    .action((vms: string[], flags: DrillRunFlags, sub: Command) =>
      run(
        sub,
        (context) => runDrills(context, vms, flags),
        (context) => remoteDrillRun(context, vms, flags),
      ),
    );
  addTableFlags(
    command
      .command('list')
      .argument('[vm]', 'id, name or group: every drill of this one')
      .option('--max-age <span>', 'only VMs that were not proven for so long, or never: 30d'),
  )
    .description('when each VM was last proven to come back, and how long that took; needs no OpenNebula')
    .action((vm: string | undefined, flags: DrillListFlags, sub: Command) =>
      run(
        sub,
        (context) => runDrillList(context, vm, flags),
        (context) => remoteDrillList(context, vm, flags),
      ),
    );
  return command;
}

function addWhatFlags(command: Command): Command {
  return command
    .optionsGroup('What:')
    .option('--all', 'every VM of which the repository has a restore point')
    .option('--sample <n>', 'with --all: those whose last proof is the oldest, or that have none, at most n')
    .option('--max-age <span>', 'leave out VMs that were proven since: 12h, 30d')
    .option('--point <point>', 'of one VM: this restore point instead of the newest: id, prefix, latest~1')
    .option('--budget <span>', 'begin no other drill after so long: 2h')
    .option('--dry-run', 'say whose turn it is, and make nothing')
    .optionsGroup('Where:')
    .option('--network <network>', 'none: no network card at all; or the id or name of an isolated network', 'none')
    .option('--image-datastore <datastore>', 'id or name, for all disks; default: where each came from')
    .option('--system-datastore <datastore>', 'id or name; default: what the scheduler picks')
    .option('--allow-raw', 'also VMs whose RAW data names interfaces, host devices or qemu arguments')
    .option('--verify', 'read the restored disks back as well');
}

function addSignFlags(command: Command): Command {
  return command
    .optionsGroup('Signs of life:')
    .addOption(new Option('--sign <sign>', 'running[:90s] (default, 60s), agent, ready (OneGate) or console:REGEX; may be repeated').argParser(collect))
    .option('--probe <program>', 'a command that exits with 0 once the guest lives; it finds the VM in ONEVAULT_DRILL_*')
    .addOption(new Option('--probe-arg <arg>', 'one argument of it; may be repeated').argParser(collect))
    .option('--probe-shell <command>', 'the same, run by /bin/sh')
    .addOption(new Option('--need <how>', 'whether one sign is enough').choices(['all', 'any']).default('all'))
    .option('--limit <span>', 'so long the guest has, from RUNNING on', '10m')
    .option('--console-listen <address>', 'for console: an address of this machine that the hosts reach, ADDRESS[:PORT]');
}
