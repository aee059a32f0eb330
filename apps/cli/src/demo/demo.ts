import type { CommandContext } from '../command-context.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { firstBackup, guestWrites, secondBackup, theCloud, verifyAll } from './backup-scenes.ts';
import { breakByte, captureReference } from './capture-reference.ts';
import { proveClean, takeStock } from './cleanup-scene.ts';
import { damageAndSelfCheck } from './damage-scene.ts';
import { type Figures, figuresDocument, figuresLines } from './figures.ts';
import { Mismatches } from './mismatches.ts';
import { restoreAndCompare } from './restore-scene.ts';
import { diskSnapshots } from './snapshot-scene.ts';
import { openStage, type Stage } from './stage.ts';

export interface DemoFlags {
  readonly dir?: string;
  readonly keep?: boolean;
  /** Disks of an eighth of the size, for a test of the demo itself. */
  readonly small?: boolean;
  /** Turns one byte round on purpose, to show that the comparison notices. */
  readonly break?: 'restore' | 'capture';
}

/** The main job from end to end on the embedded simulator, in the product's own output, with every byte compared. */
export async function runDemo(outer: CommandContext, flags: DemoFlags): Promise<ExitCode> {
  const startedMs = outer.clock.monotonicMs();
  const mismatches = new Mismatches();
  await using stage = await openStage(outer, { keep: flags.keep ?? false, ...(flags.dir !== undefined && { dir: flags.dir }) });
  stage.context.output.line('onevault demo: the main job on a simulated OpenNebula with real disks behind it');
  const figures = { ...(await play(stage, flags, mismatches)), durationMs: outer.clock.monotonicMs() - startedMs };
  stage.scene('The figures');
  for (const line of figuresLines(figures)) stage.context.output.line(line);
  if (flags.keep === true) stage.say(`everything is kept in ${stage.dir}`);
  outer.output.document('demo.result', { ...figuresDocument(figures), mismatches: mismatches.found });
  mismatches.throwIfAny();
  return EXIT.ok;
}

async function play(stage: Stage, flags: DemoFlags, mismatches: Mismatches): Promise<Omit<Figures, 'durationMs'>> {
  const vm = await theCloud(stage, flags.small === true ? [24, 32] : [192, 256]);
  const disks = vm.imageDisks.map(({ diskId }) => diskId);
  const stock = await takeStock(stage);
  const first = await captureReference(stage, vm.vmId, disks, 'first');
  if (flags.break === 'capture') await breakByte(stage, vm.vmId, 0, 1_000_000);
  const full = await firstBackup(stage);
  const blockSizeBytes = 1024 * 1024;
  const written = await guestWrites(stage, vm, blockSizeBytes);
  const second = await captureReference(stage, vm.vmId, disks, 'second');
  const incremental = await secondBackup(stage);
  for (const [at, blocks] of written.entries()) mismatches.expectEqual(incremental.disks[at]?.stats.changedBlocks, blocks, `changed blocks of disk ${at}`);
  const verified = await verifyAll(stage);
  await damageAndSelfCheck(stage, mismatches);
  const restored = await restoreAndCompare(
    stage,
    vm,
    [
      { point: 'latest~1', name: 'web-first', references: first },
      { point: 'latest', name: 'web-second', references: second },
    ],
    mismatches,
    flags.break === 'restore',
  );
  await diskSnapshots(stage, vm.vmId, disks, mismatches);
  const leftBehind = await proveClean(
    stage,
    stock,
    restored.reports.map((report) => report.vmId),
    mismatches,
  );
  for (const error of await stage.simulator.control.unexpectedErrors()) mismatches.note(`error inside the simulator: ${error}`);
  const peakMemoryBytes = process.resourceUsage().maxRSS * 1024;
  return {
    full,
    incremental,
    blocksWritten: written.reduce((sum, blocks) => sum + blocks, 0),
    blockSizeBytes,
    verified,
    restored,
    leftBehind,
    mismatches: mismatches.found.length,
    peakMemoryBytes,
  };
}
