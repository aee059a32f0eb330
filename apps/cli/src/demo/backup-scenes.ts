import { type RandomWrites, randomWrites } from '@onevault/one-sim';
import type { BackupReport } from '@onevault/orchestrator';
import { runBackup } from '../commands/backup.ts';
import { runInit } from '../commands/init.ts';
import { runPlan } from '../commands/plan.ts';
import { runPointList } from '../commands/point.ts';
import { runVerify, type VerifyOutcome } from '../commands/verify.ts';
import { runVmList } from '../commands/vm.ts';
import { EXIT } from '../exit.ts';
import { formatBytes } from '../render/units.ts';
import { makeDisk } from './disk-images.ts';
import type { Stage } from './stage.ts';

const MIB = 1024 * 1024;

/** The VM the story is about: two disks with images, one volatile. */
export interface DemoVm {
  readonly vmId: number;
  readonly imageDisks: readonly { readonly diskId: number; readonly sizeMiB: number }[];
  readonly volatileDisk: number;
}

export async function theCloud(stage: Stage, sizesMiB: readonly [root: number, data: number]): Promise<DemoVm> {
  const { signal } = stage.context;
  stage.scene('A cloud with a VM');
  const disks = [await makeDisk(stage.dir, 'root', sizesMiB[0], 1, { signal }), await makeDisk(stage.dir, 'data', sizesMiB[1], 1000, { signal })];
  for (const disk of disks) stage.say(`disk image of ${disk.sizeMiB} MiB: ${disk.text}`);
  const { vmId } = await stage.simulator.control.createVm({ name: 'web', disks: disks.map(({ path }) => ({ file: path })), volatileMiB: [64], nics: ['lan'] });
  stage.say(`simulated OpenNebula at ${stage.simulator.endpoint.href}, its proxy VM and VM ${vmId} 'web' are running`);
  stage.command('vm list');
  await runVmList(stage.context, {});
  stage.command('plan web');
  await runPlan(stage.context, ['web'], { capture: 'auto', parallelDisks: '2' });
  return { vmId, imageDisks: disks.map(({ sizeMiB }, diskId) => ({ diskId, sizeMiB })), volatileDisk: disks.length };
}

export async function firstBackup(stage: Stage): Promise<BackupReport> {
  stage.scene('Full backup of the running VM');
  stage.command('init');
  await runInit(stage.context, { blockSize: '1MiB', digest: 'blake3', compressionLevel: '2' });
  return await backupWeb(stage);
}

export async function secondBackup(stage: Stage): Promise<BackupReport> {
  stage.scene('Incremental backup');
  const report = await backupWeb(stage);
  stage.command('point list');
  await runPointList(stage.context, undefined, {});
  return report;
}

async function backupWeb(stage: Stage): Promise<BackupReport> {
  stage.command('backup web');
  const { outcomes } = await runBackup(stage.context, ['web'], { capture: 'auto', parallelDisks: '2' });
  const [outcome] = outcomes;
  if (outcome !== undefined && 'report' in outcome) return outcome.report;
  throw outcome?.error;
}

/** Small writes spread over one disk, larger ones on the other. */
const GUEST_WRITES: readonly RandomWrites[] = [
  { seed: 11, count: 40, blockBytes: 4096 },
  { seed: 22, count: 6, blockBytes: 2 * MIB },
];

/** The guest goes on working; returns how many blocks of each disk that changes, computed from the writes alone. */
export async function guestWrites(stage: Stage, vm: DemoVm, blockSizeBytes: number): Promise<number[]> {
  stage.scene('The guest goes on writing');
  const changed: number[] = [];
  for (const { diskId, sizeMiB } of vm.imageDisks) {
    const pattern = GUEST_WRITES[diskId] ?? { seed: diskId, count: 1, blockBytes: 4096 };
    await stage.simulator.control.writeRandom(vm.vmId, diskId, pattern);
    const blocks = blocksTouched(pattern, sizeMiB * MIB, blockSizeBytes);
    changed.push(blocks);
    stage.say(
      `disk ${diskId}: ${pattern.count} random writes of ${formatBytes(pattern.blockBytes)}, which touch ${blocks} blocks of ${formatBytes(blockSizeBytes)}`,
    );
  }
  return changed;
}

function blocksTouched(pattern: RandomWrites, diskBytes: number, blockSizeBytes: number): number {
  const blocks = new Set<number>();
  for (const { offset, bytes } of randomWrites(pattern, diskBytes)) {
    for (let block = Math.floor(offset / blockSizeBytes); block * blockSizeBytes < offset + bytes.length; block++) blocks.add(block);
  }
  return blocks.size;
}

export async function verifyAll(stage: Stage): Promise<VerifyOutcome> {
  stage.scene('Verify: everything a restore could need is read and checked');
  stage.command('verify');
  const outcome = await runVerify(stage.context);
  if (outcome.exitCode !== EXIT.ok) throw outcome.damages[0]?.error;
  return outcome;
}
