import { errorCode } from '@onevault/base';
import { diskId, type VmId, vmStateName } from '@onevault/one-client';
import { type BackupPlan, planBackup } from '@onevault/orchestrator';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { findProxyVm } from '../compose.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { planDocument, planLines } from '../render/plan-text.ts';
import { printable } from '../render/table.ts';
import { allVms, asVmError, selectVms } from '../select/select-vms.ts';
import { parseId } from '../settings.ts';
import { addPlanFlags, type PlanFlags } from './plan-flags.ts';

export function planCommand(run: RunCommand): Command {
  const command = new Command('plan')
    .argument('[vm...]', 'ids or names: 6, 1..5, 1,2,web')
    .description('what a backup would do to each disk and why; touches nothing');
  return addPlanFlags(command).action((vms: string[], flags: PlanFlags, sub: Command) => run(sub, (context) => runPlan(context, vms, flags)));
}

export async function runPlan(context: CommandContext, argv: readonly string[], flags: PlanFlags): Promise<ExitCode> {
  const { compose, settings, output, signal } = context;
  await using cloud = await compose.openCloud({ signal });
  const ids = await wantedVms(cloud, argv, flags, { signal });
  const proxyVm = await findProxyVm(settings, cloud, { signal }).catch((error: unknown) => {
    // Planning needs no proxy: it can be done from a desk. Only "this is the proxy itself" is then not seen.
    if (errorCode(error)?.startsWith('ATTACH_PROXY_') === true) return undefined;
    throw error;
  });
  const request = {
    capture: flags.capture,
    excludeDisks: (flags.excludeDisk ?? []).map((id) => diskId(parseId(id, 'a disk'))),
    ...(proxyVm !== undefined && { proxyVm }),
  };
  const plans: BackupPlan[] = [];
  for (const id of ids) {
    const vm = await cloud.vm(id, { signal }).catch((error: unknown) => {
      throw asVmError(error, id);
    });
    const made = planBackup(vm, request);
    plans.push(made);
    output.line(`VM ${made.vmId} ${printable(vm.name)} ${vmStateName(vm)}: ${VERDICT_TEXT[made.verdict]}`);
    for (const line of planLines(made)) output.line(`  ${line}`);
  }
  output.document('plan', { plans: plans.map(planDocument) });
  return plans.some((made) => made.verdict === 'impossible') ? EXIT.partial : EXIT.ok;
}

const VERDICT_TEXT: Readonly<Record<BackupPlan['verdict'], string>> = {
  ok: 'ok',
  degraded: 'degraded: it can be backed up, but not as well as it should',
  impossible: 'impossible: it would be refused',
};

/** The VMs that are named, or all of them but the one we are in. */
export async function wantedVms(
  cloud: Parameters<typeof allVms>[0],
  argv: readonly string[],
  flags: { readonly all?: boolean },
  options: { readonly signal: AbortSignal },
): Promise<VmId[]> {
  if (flags.all === true && argv.length > 0) throw usageError('VMs are named and --all is given', 'one or the other');
  return flags.all === true ? (await allVms(cloud, options)).map((vm) => vm.id) : await selectVms(cloud, argv, options);
}
