import { Command } from 'commander';
import type { RunCommand } from '../../command-context.ts';
import { remoteSnapshotCreate, remoteSnapshotDelete, remoteSnapshotList, remoteSnapshotRevert } from '../../remote/snapshots.ts';
import { addRecoverFlag } from '../recover-first.ts';
import { addTableFlags } from '../table-flags.ts';
import { addCreateFlags, type CreateFlags, runSnapshotCreate } from './create.ts';
import { type DeleteFlags, runSnapshotDelete } from './delete.ts';
import { type ListFlags, runSnapshotList } from './list.ts';
import { type PruneFlags, runSnapshotPrune } from './prune.ts';
import { type RevertFlags, runSnapshotRevert } from './revert.ts';
import { addDiskFlag, addLimitFlags } from './snapshot-flags.ts';

const VMS = 'ids or names: 6, 1..5, 1,2,web';
const SET = 'latest, a name, a set id or its beginning, or DISK:SNAPSHOT';

export function snapshotCommand(run: RunCommand): Command {
  const command = new Command('snapshot').description('disk snapshots of VMs: quick ways back, beside their disks; not a backup');
  addTableFlags(command.command('list').argument('[vm...]', VMS).option('--all', 'of all VMs that are not DONE'))
    .description('snapshots, ours as sets; everybody else’s as foreign')
    .action((vms: string[], flags: ListFlags, sub: Command) =>
      run(
        sub,
        (context) => runSnapshotList(context, vms, flags),
        (context) => remoteSnapshotList(context, vms, flags),
      ),
    );
  addCreateFlags(command.command('create').argument('[vm...]', VMS))
    .description('take one snapshot of every disk, one after another, as a set: all of them or none')
    .action((vms: string[], flags: CreateFlags, sub: Command) =>
      run(
        sub,
        (context) => runSnapshotCreate(context, vms, flags),
        (context) => remoteSnapshotCreate(context, vms, flags),
      ),
    );
  addLimitFlags(addDiskFlag(command.command('revert').argument('<vm>', 'id or name').argument('<set>', SET)), 'for --snapshot-first: ')
    .option('--snapshot-first', 'take a set of the same disks first, to which one can go back')
    .option('--stop-timeout <time>', 'so long the guest may take to shut down: 90s, 5m', '5m')
    .option('--hard', 'pull the plug when it has not shut down by then')
    .option('--allow-branch', 'also when younger snapshots stand on this one: they stay as a branch')
    .option('--drop-younger', 'also where the storage driver drops the younger snapshots of ours')
    .option('--foreign', 'also a snapshot that is not ours, named exactly')
    .option('-y, --yes', 'ask nothing, also on a terminal')
    .description('stop the VM, take its disks back, and bring it back to what it was; what was written since is lost')
    .action((vm: string, set: string, flags: RevertFlags, sub: Command) =>
      run(
        sub,
        (context) => runSnapshotRevert(context, vm, set, flags),
        (context) => remoteSnapshotRevert(context, vm, set, flags),
      ),
    );
  addDiskFlag(command.command('delete').argument('<vm>', 'id or name').argument('<set...>', SET))
    .option('--foreign', 'also snapshots that are not ours, named exactly')
    .option('-y, --yes', 'ask nothing, also on a terminal')
    .description('delete sets or single snapshots; nothing when one of them cannot be deleted')
    .action((vm: string, sets: string[], flags: DeleteFlags, sub: Command) =>
      run(
        sub,
        (context) => runSnapshotDelete(context, vm, sets, flags),
        (context) => remoteSnapshotDelete(context, vm, sets, flags),
      ),
    );
  command
    .command('prune')
    .argument('[vm...]', VMS)
    .option('--all', 'of all VMs that are not DONE')
    .option('--keep <n>', 'the newest n sets of each VM stay')
    .option('--max-age <span>', 'none grows older than that: 12h, 7d, 2w')
    .option('--name-prefix <text>', 'only sets whose name begins so; others are neither counted nor touched')
    .option('--dry-run', 'change nothing: say what would go and why')
    .description('delete sets by rules; a set goes as soon as one rule says so, and what is not ours is never touched')
    .action((vms: string[], flags: PruneFlags, sub: Command) => run(sub, (context) => runSnapshotPrune(context, vms, flags)));
  for (const sub of command.commands) if (sub.name() !== 'list') addRecoverFlag(sub);
  return command;
}
