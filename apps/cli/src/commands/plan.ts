import { type CallOptions, errorCode } from '@onevault/base';
import { findProxyVm } from '@onevault/composition';
import type { OneApi, Vm, VmId } from '@onevault/one-client';
import { planBackup, readSurroundings } from '@onevault/orchestrator';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { type PlanSummary, planView } from '../render/plan-view.ts';
import { allVms, asVmError, selectVms } from '../select/select-vms.ts';
import { addPlanFlags, type PlanFlags, planRequest } from './plan-flags.ts';

export function planCommand(run: RunCommand): Command {
  const command = new Command('plan')
    .argument('[vm...]', 'ids or names: 6, 1..5, 1,2,web')
    .description('what a backup would do to each disk, what it would cost, and what to change; touches nothing');
  return addPlanFlags(command).action((vms: string[], flags: PlanFlags, sub: Command) => run(sub, (context) => runPlan(context, vms, flags)));
}

export async function runPlan(context: CommandContext, argv: readonly string[], flags: PlanFlags): Promise<ExitCode> {
  const { compose, settings, output, signal } = context;
  await using cloud = await compose.openCloud({ signal });
  const proxyVm = await findProxyVm(settings, cloud, { signal }).catch((error: unknown) => {
    // Planning needs no proxy: it can be done from a desk. Only "this is the proxy itself" and its cluster are then not seen.
    if (errorCode(error)?.startsWith('ATTACH_PROXY_') === true) return undefined;
    throw error;
  });
  const request = planRequest(flags, proxyVm);
  const surroundings = await readSurroundings(cloud, proxyVm, { signal });
  const view = planView(output, { brief: flags.all === true });
  for await (const vm of vmBodies(cloud, argv, flags, { signal })) {
    if (flags.all === true && vm.id === proxyVm) output.note(`VM ${proxyVm} is left out: it is the proxy VM, in which this runs`);
    else view.add(planBackup(vm, request, surroundings));
  }
  return exitCode(view.finish());
}

function exitCode({ impossible, degraded }: PlanSummary): ExitCode {
  if (impossible > 0) return EXIT.partial;
  return degraded > 0 ? EXIT.degraded : EXIT.ok;
}

/** With --all in pages, and in the order of the pages: thousands of VMs are some dozens of calls, and never in memory together. */
async function* vmBodies(cloud: OneApi, argv: readonly string[], flags: PlanFlags, options: CallOptions): AsyncGenerator<Vm, void> {
  refuseBoth(argv, flags);
  if (flags.all === true) {
    yield* cloud.fullVms(options);
    return;
  }
  for (const id of await selectVms(cloud, argv, options)) {
    yield await cloud.vm(id, options).catch((error: unknown) => {
      throw asVmError(error, id);
    });
  }
}

/** The VMs that are named, or all of them. */
export async function wantedVms(cloud: OneApi, argv: readonly string[], flags: { readonly all?: boolean }, options: CallOptions): Promise<VmId[]> {
  refuseBoth(argv, flags);
  return flags.all === true ? (await allVms(cloud, options)).map((vm) => vm.id) : await selectVms(cloud, argv, options);
}

function refuseBoth(argv: readonly string[], flags: { readonly all?: boolean }): void {
  if (flags.all === true && argv.length > 0) throw usageError('VMs are named and --all is given', 'one or the other');
}
