import type { RestoreReport } from '@onevault/orchestrator';
import { runRestore } from '../commands/restore.ts';
import { formatBytes } from '../render/units.ts';
import type { DemoVm } from './backup-scenes.ts';
import { breakByte, type Reference } from './capture-reference.ts';
import { compareFiles } from './compare-files.ts';
import type { Mismatches } from './mismatches.ts';
import type { Stage } from './stage.ts';
import { sizeIfZeros } from './zero-bytes.ts';

/** A restore point and what it must give back. */
export interface Expected {
  readonly point: string;
  readonly name: string;
  readonly references: readonly Reference[];
}

export interface RestoreFigures {
  readonly reports: readonly RestoreReport[];
  readonly comparedBytes: number;
}

/** Both restore points come back as new, running VMs, and every byte of every disk is compared with what was there when it was captured. */
export async function restoreAndCompare(
  stage: Stage,
  vm: DemoVm,
  expected: readonly Expected[],
  mismatches: Mismatches,
  breakIt: boolean,
): Promise<RestoreFigures> {
  stage.scene('Both restore points come back as new, running VMs');
  const reports: RestoreReport[] = [];
  for (const { point, name } of expected) {
    stage.command(`restore ${point} --vm web --name ${name}`);
    reports.push(await runRestore(stage.context, point, { vm: 'web', name, verify: true }));
  }
  if (breakIt) await breakByte(stage, reports[0]?.vmId ?? -1, 0, 1_000_000);
  stage.scene('Every byte of every restored disk against the captured state');
  let comparedBytes = 0;
  for (const [at, report] of reports.entries()) {
    const { stateText } = (await stage.simulator.control.state()).vms.find((one) => one.id === report.vmId) ?? { stateText: 'gone' };
    mismatches.expectEqual(stateText, 'RUNNING', `state of VM ${report.vmId} ${report.vmName}`);
    stage.say(`VM ${report.vmId} ${report.vmName} is ${stateText}`);
    for (const reference of expected[at]?.references ?? []) comparedBytes += await compareDisk(stage, report, reference, mismatches);
    comparedBytes += await expectEmpty(stage, report, vm.volatileDisk, mismatches);
  }
  return { reports, comparedBytes };
}

async function compareDisk(stage: Stage, report: RestoreReport, reference: Reference, mismatches: Mismatches): Promise<number> {
  const actual = await stage.simulator.control.diskPath(report.vmId, reference.diskId);
  const { bytes, equal, firstDifference, digests } = await compareFiles(reference.path, actual, { signal: stage.context.signal });
  const what = `disk ${reference.diskId} of VM ${report.vmId} ${report.vmName}`;
  if (equal) stage.say(`${what}: ${formatBytes(bytes)} equal, SHA-256 ${digests[1]}`);
  else {
    stage.say(`${what}: DIFFERS from byte ${firstDifference} on, SHA-256 ${digests[1]} where ${digests[0]} was captured`);
    mismatches.note(`${what} differs from byte ${firstDifference} on`);
  }
  return bytes;
}

/** A volatile disk was never captured: it comes back in its size, reading as zeros. */
async function expectEmpty(stage: Stage, report: RestoreReport, diskId: number, mismatches: Mismatches): Promise<number> {
  const bytes = await sizeIfZeros(await stage.simulator.control.diskPath(report.vmId, diskId), { signal: stage.context.signal });
  const what = `volatile disk ${diskId} of VM ${report.vmId} ${report.vmName}`;
  stage.say(bytes === undefined ? `${what}: NOT empty` : `${what}: ${formatBytes(bytes)} empty again`);
  if (bytes === undefined || bytes === 0) mismatches.note(`${what} did not come back empty`);
  return bytes ?? 0;
}
