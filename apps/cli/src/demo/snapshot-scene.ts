import { runSnapshotCreate } from '../commands/snapshot/create.ts';
import { runSnapshotDelete } from '../commands/snapshot/delete.ts';
import { runSnapshotList } from '../commands/snapshot/list.ts';
import { runSnapshotRevert } from '../commands/snapshot/revert.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { captureReference } from './capture-reference.ts';
import { compareFiles } from './compare-files.ts';
import type { Mismatches } from './mismatches.ts';
import type { Stage } from './stage.ts';

const CHAIN = { maxChain: '3' } as const;

/** A set of snapshots is taken, regretted changes are made, it brings the disks back, and it goes. */
export async function diskSnapshots(stage: Stage, vm: number, disks: readonly number[], mismatches: Mismatches): Promise<void> {
  const { context } = stage;
  const id = String(vm);
  stage.scene('Disk snapshots: create, list, revert, delete');
  const before = await captureReference(stage, vm, disks, 'snapshot');
  stage.command('snapshot create web --name before-upgrade');
  expectOk(mismatches, await runSnapshotCreate(context, [id], { name: 'before-upgrade', ...CHAIN }), 'create');
  stage.command('snapshot list web');
  expectOk(mismatches, await runSnapshotList(context, [id], {}), 'list');

  for (const disk of disks) await stage.simulator.control.writeRandom(vm, disk, { seed: 33 + disk, count: 200, blockBytes: 4096 });
  stage.say(`the guest writes 200 times to each disk`);
  stage.command('snapshot revert web before-upgrade --yes');
  const stop = { stopTimeout: '2m', hard: true, yes: true, ...CHAIN };
  expectOk(mismatches, await runSnapshotRevert(context, id, 'before-upgrade', stop), 'revert');
  for (const [at, disk] of disks.entries()) {
    const { equal } = await compareFiles(before[at]?.path ?? '', await stage.simulator.control.diskPath(vm, disk), { signal: context.signal });
    stage.say(`disk ${disk} is ${equal ? 'byte for byte as it was' : 'NOT as it was'}`);
    if (!equal) mismatches.note(`disk ${disk} differs after its snapshot was reverted`);
  }

  stage.command('snapshot delete web before-upgrade --yes');
  expectOk(mismatches, await runSnapshotDelete(context, id, ['before-upgrade'], { yes: true }), 'delete');
  const left = (await stage.simulator.control.state()).vms.find((one) => one.id === vm)?.snapshots.length;
  mismatches.expectEqual(left, 0, 'snapshots that are left');
}

function expectOk(mismatches: Mismatches, exitCode: ExitCode, what: string): void {
  mismatches.expectEqual(exitCode, EXIT.ok, `exit code of snapshot ${what}`);
}
